"""ChatExport: many chats to a file, in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from desktop.mailbox import Mailbox
from desktop.store.store import Store
from desktop.store.transfer import Kind, export_chats

_PAUSE = 0.1  # seconds between two reports


class _CancelledError(Exception):
    pass


class ChatExport(QObject):
    """The file appears whole, at the end, or not at all."""

    passed = Signal(int)  # how many chats are done
    ended = Signal(object)  # what it failed with; None where the file is there, and also where it was cancelled

    def __init__(self, folder: Path, chats: Sequence[int], file: Path, kind: Kind, parent: QObject) -> None:
        """`folder`: of the store."""
        super().__init__(parent)
        self.chats, self.file = len(chats), file
        self._cancelled = threading.Event()
        self._mailbox: Mailbox[int | Exception | None] = Mailbox(self, self._read)
        # It must not hold on to this object, which dies in the window's thread.
        arguments = (folder, list(chats), file, kind, self._mailbox, self._cancelled)
        self._thread = threading.Thread(target=_run, args=arguments, name="chat export", daemon=True)

    def start(self) -> None:
        """Begin. `ended` is emitted once."""
        self._thread.start()

    def cancel(self) -> None:
        """End without a file, when the chat that is written now is done."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether it was told to end."""
        return self._cancelled.is_set()

    def close(self, seconds: float) -> None:
        """Cancel, and wait so long for what was begun to be taken away."""
        self.cancel()
        self._mailbox.close()
        self._thread.join(seconds)

    def _read(self) -> None:
        while not self._mailbox.rest():
            for item in self._mailbox.take():
                if isinstance(item, int):
                    self.passed.emit(item)
                else:
                    self.ended.emit(item)


def _run(
    folder: Path,
    chats: Sequence[int],
    file: Path,
    kind: Kind,
    mailbox: Mailbox[int | Exception | None],
    cancelled: threading.Event,
) -> None:
    told = 0.0

    def passed(number: int) -> None:
        nonlocal told
        if cancelled.is_set():
            raise _CancelledError
        if (now := time.monotonic()) - told > _PAUSE:
            told = now
            mailbox.post(number)

    failure: Exception | None = None
    try:
        store = Store.open(folder)  # SQLite's connections stay in their thread
        try:
            export_chats(store, chats, file, kind, passed=passed)
        finally:
            store.close()
    except _CancelledError:
        failure = None
    except Exception as error:  # noqa: BLE001  (it is raised where the end is told)
        failure = error
    mailbox.post(failure)
