"""One thread for work that would hold the window up: formulas and the colours of code."""

from __future__ import annotations

import queue
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from PySide6.QtCore import QCoreApplication, QObject, Qt, Signal
from shiboken6 import isValid

R = TypeVar("R")

_SLICE = 0.0005
"""Seconds after which the thread lets the window's thread go on: a tenth of what Python gives, as frames are short."""


class Work(QObject):
    """Runs functions one after the other and hands their results to the window's thread. One for the application."""

    _done = Signal(object, object, object)

    def __init__(self, application: QCoreApplication) -> None:
        super().__init__(application)
        self._waiting: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._done.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        application.aboutToQuit.connect(self._stop)

    def _stop(self) -> None:
        while not self._waiting.empty():
            self._waiting.get()[0].cancel()

    def submit(self, function: Callable[[], Any], receiver: R, deliver: Callable[[R, Any], None]) -> Future[Any]:
        """Run `function` there, then `deliver(receiver, result)` here, unless cancelled or the receiver is gone."""
        owner = weakref.ref(receiver)
        future: Future[Any] = Future()
        future.add_done_callback(lambda done: self._report(done, owner, deliver))
        self._waiting.put((future, function))
        if self._thread is None:
            # One that Python does not wait for when it ends, as it does for those of a pool: who quits is done.
            self._thread = threading.Thread(target=_run, args=(self._waiting,), name="text", daemon=True)
            self._thread.start()
        return future

    def _report(self, done: Future[Any], owner: Any, deliver: Any) -> None:
        if not done.cancelled() and isValid(self):
            self._done.emit(done, owner, deliver)

    def _deliver(self, done: Future[Any], owner: Any, deliver: Any) -> None:
        receiver = owner()
        if receiver is not None and (not isinstance(receiver, QObject) or isValid(receiver)):
            deliver(receiver, done.result())


def _run(waiting: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]]) -> None:
    while True:
        future, function = waiting.get()
        if not future.set_running_or_notify_cancel():
            continue
        try:
            result = _patiently(function)
        except Exception as error:  # noqa: BLE001  (it is raised where the result is delivered)
            future.set_exception(error)
        else:
            future.set_result(result)


def _patiently(function: Callable[[], Any]) -> Any:
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, _SLICE))
    try:
        return function()
    finally:
        sys.setswitchinterval(before)


def work() -> Work:
    """The application's one."""
    application = QCoreApplication.instance()
    if application is None:
        raise RuntimeError("work is done for an application, and there is none")
    found = application.findChild(Work)
    return found if isinstance(found, Work) else Work(application)
