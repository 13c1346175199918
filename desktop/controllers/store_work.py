"""StoreWork: chats exported or imported by a thread of its own, while the window goes on with the same chats."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from desktop.mailbox import Mailbox
from desktop.store.store import Store
from desktop.store.transfer import CancelledError
from desktop.views.conversation.work import patience

_log = logging.getLogger(__name__)

Function = Callable[[Store, Callable[[Any], None]], object]
"""What is done. It tells how far it is to what it is given, which may raise CancelledError: nothing more is done then
but to take away what was begun."""

_PAUSE = 0.1  # seconds between two reports
_LEAVE_SECONDS = 0.5  # for what was begun to be taken away when the program ends; the next start removes the rest


@dataclass(frozen=True)
class _Went:
    report: Any


@dataclass(frozen=True)
class _Ended:
    failure: Exception | None


@dataclass(frozen=True)
class _Left:
    """Nothing more is done, which is all there is to say of what was cancelled and has ended so."""

    ended: _Ended | None


_News = _Went | _Ended | _Left


class StoreWork(QObject):
    """One function, run once."""

    went = Signal(object)  # what it told
    ended = Signal(object)
    """What it failed with; None where it did not, or was cancelled. It comes once, and as soon as what comes of it is
    sure: what was cancelled may still take away what it had begun, which nobody sees."""
    left = Signal()  # after `ended`: nothing more is done

    def __init__(self, folder: Path, function: Function, name: str, parent: QObject) -> None:
        """`folder`: of the chats. `function` must not hold on to an object of Qt; `name` is its thread's."""
        super().__init__(parent)
        self._cancelled = threading.Event()
        self._mailbox: Mailbox[_News] = Mailbox(self, self._read)
        # It must not hold on to this object, which dies in the window's thread.
        arguments = (folder, function, self._mailbox, self._cancelled)
        self._thread = threading.Thread(target=_run, args=arguments, name=name, daemon=True)

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants it any more."""
        return self._cancelled.is_set()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def cancel(self) -> None:
        """Stop where the function next tells how far it is; `ended` comes then."""
        self._cancelled.set()

    def close(self) -> None:
        """The program ends; neither `ended` nor `left` comes."""
        self.cancel()
        self._mailbox.close()
        self._thread.join(_LEAVE_SECONDS)

    def _read(self) -> None:
        while not self._mailbox.rest():
            for item in self._mailbox.take():
                match item:
                    case _Went(report):
                        self.went.emit(report)
                    case _Ended(failure):
                        self.ended.emit(failure)
                    case _Left(ended):
                        if ended is not None:
                            self.ended.emit(ended.failure)
                        self.left.emit()


def _run(folder: Path, function: Function, mailbox: Mailbox[_News], cancelled: threading.Event) -> None:
    told, sure = 0.0, False

    def went(report: Any) -> None:
        nonlocal told, sure
        if cancelled.is_set():
            if not sure:
                mailbox.post(_Ended(None))
            sure = True
            raise CancelledError
        if (now := time.monotonic()) - told > _PAUSE:
            told = now
            mailbox.post(_Went(report))

    failure: Exception | None = None
    try:
        with patience, closing(Store.open(folder)) as store:  # SQLite's connections stay in their thread
            function(store, went)
    except CancelledError:
        pass  # what the function left is as it should be
    except Exception as error:  # noqa: BLE001  (it is raised where the end is told)
        failure = error
    if sure and failure is not None:
        _log.error("what was cancelled could not be taken away; the next start does it", exc_info=failure)
    mailbox.post(_Left(None if sure else _Ended(failure)))
