"""Threads for work that would hold the window up: one for long texts, one for formulas and the colours of code."""

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
"""Seconds after which a thread lets the window's thread go on: a tenth of what Python gives, as frames are short."""


class _Lane:
    """A thread that runs functions one after the other."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def put(self, future: Future[Any], function: Callable[[], Any]) -> None:
        """Run `function` when all that was put before is done."""
        self._waiting.put((future, function))
        if self._thread is None:
            # One that Python does not wait for when it ends, as it does for those of a pool: who quits is done.
            self._thread = threading.Thread(target=_run, args=(self._waiting,), name=self._name, daemon=True)
            self._thread.start()

    def clear(self) -> None:
        """Cancel what waits."""
        while not self._waiting.empty():
            self._waiting.get()[0].cancel()


class Work(QObject):
    """Runs functions and hands their results to the window's thread. One for the application."""

    _done = Signal(object, object, object)

    def __init__(self, application: QCoreApplication) -> None:
        super().__init__(application)
        self._texts, self._rest = _Lane("texts"), _Lane("drawings")
        self._done.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        application.aboutToQuit.connect(self._stop)

    def _stop(self) -> None:
        for lane in (self._texts, self._rest):
            lane.clear()

    def submit(
        self, function: Callable[[], Any], receiver: R, deliver: Callable[[R, Any], None], *, text: bool = False
    ) -> Future[Any]:
        """Run `function` there, then `deliver(receiver, result)` here, unless cancelled or the receiver is gone.

        `text`: it makes a text that somebody is waiting to read, which no drawing and no colour keeps waiting.
        """
        owner = weakref.ref(receiver)
        future: Future[Any] = Future()
        future.add_done_callback(lambda done: self._report(done, owner, deliver))
        (self._texts if text else self._rest).put(future, function)
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
            with patience:
                result = function()
        except Exception as error:  # noqa: BLE001  (it is raised where the result is delivered)
            future.set_exception(error)
        else:
            future.set_result(result)


class _Patience:
    """Within it threads take turns after a slice; several may be within it at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._within = 0
        self._before = 0.0

    def __enter__(self) -> None:
        with self._lock:
            if not self._within:
                self._before = sys.getswitchinterval()
                sys.setswitchinterval(min(self._before, _SLICE))
            self._within += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._within -= 1
            if not self._within:
                sys.setswitchinterval(self._before)


patience = _Patience()
"""For any thread that works in Python."""


def work() -> Work:
    """The application's one."""
    application = QCoreApplication.instance()
    if application is None:
        raise RuntimeError("work is done for an application, and there is none")
    found = application.findChild(Work)
    return found if isinstance(found, Work) else Work(application)
