"""One thread for work that would hold the window up: formulas and the colours of code."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
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
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="text")
        self._done.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        application.aboutToQuit.connect(self._stop)

    def _stop(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="text")  # starts no thread before it is used

    def submit(self, function: Callable[[], Any], receiver: R, deliver: Callable[[R, Any], None]) -> Future[Any]:
        """Run `function` there, then `deliver(receiver, result)` here, unless cancelled or the receiver is gone."""
        owner = weakref.ref(receiver)
        future = self._pool.submit(_patiently, function)
        future.add_done_callback(lambda done: self._report(done, owner, deliver))
        return future

    def _report(self, done: Future[Any], owner: Any, deliver: Any) -> None:
        if not done.cancelled():
            self._done.emit(done, owner, deliver)

    def _deliver(self, done: Future[Any], owner: Any, deliver: Any) -> None:
        receiver = owner()
        if receiver is not None and (not isinstance(receiver, QObject) or isValid(receiver)):
            deliver(receiver, done.result())


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
