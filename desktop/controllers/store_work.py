"""StoreWork: chats exported or imported by a thread of its own, while the window goes on with the same chats."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from desktop.mailbox import Mailbox
from desktop.store.store import Store
from desktop.store.transfer import CancelledError
from desktop.views.conversation.work import patience

Function = Callable[[Store, Callable[[int], None]], object]
"""What is done. It tells the number that is done by now to what it is given, which may raise CancelledError."""

_PAUSE = 0.1  # seconds between two reports
_LEAVE_SECONDS = 0.5  # for what was begun to be taken away when the program ends; the next start removes the rest


class StoreWork(QObject):
    """One function, run once."""

    went = Signal(int)  # what it told
    ended = Signal(object)  # what it failed with; None where it did not, or was cancelled

    def __init__(self, folder: Path, function: Function, name: str, parent: QObject) -> None:
        """`folder`: of the chats. `function` must not hold on to an object of Qt; `name` is its thread's."""
        super().__init__(parent)
        self._cancelled = threading.Event()
        self._mailbox: Mailbox[int | Exception | None] = Mailbox(self, self._read)
        # It must not hold on to this object, which dies in the window's thread.
        arguments = (folder, function, self._mailbox, self._cancelled)
        self._thread = threading.Thread(target=_run, args=arguments, name=name, daemon=True)

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants it any more."""
        return self._cancelled.is_set()

    def start(self) -> None:
        """Begin. `ended` is emitted once."""
        self._thread.start()

    def cancel(self) -> None:
        """Stop where the function next tells how far it is; `ended` comes then."""
        self._cancelled.set()

    def close(self) -> None:
        """The program ends; `ended` does not come."""
        self.cancel()
        self._mailbox.close()
        self._thread.join(_LEAVE_SECONDS)

    def _read(self) -> None:
        while not self._mailbox.rest():
            for item in self._mailbox.take():
                if isinstance(item, int):
                    self.went.emit(item)
                else:
                    self.ended.emit(item)


def _run(
    folder: Path, function: Function, mailbox: Mailbox[int | Exception | None], cancelled: threading.Event
) -> None:
    told = 0.0

    def went(number: int) -> None:
        nonlocal told
        if cancelled.is_set():
            raise CancelledError
        if (now := time.monotonic()) - told > _PAUSE:
            told = now
            mailbox.post(number)

    failure: Exception | None = None
    try:
        with patience, closing(Store.open(folder)) as store:  # SQLite's connections stay in their thread
            function(store, went)
    except CancelledError:
        pass  # what the function left is as it should be
    except Exception as error:  # noqa: BLE001  (it is raised where the end is told)
        failure = error
    mailbox.post(failure)
