"""Interrupts: SIGINT and SIGTERM close the window, as its own button does."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable

from PySide6.QtCore import QObject, QSocketNotifier

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts(QObject):
    """Calls `quit` for either signal until `end`. Make it in the main thread.

    Python runs a signal's handler between its own instructions, and Qt's loop has none: the byte that the signal puts
    into a socket wakes it.
    """

    def __init__(self, quit: Callable[[], object], parent: QObject) -> None:  # noqa: A002
        super().__init__(parent)
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._notifier = QSocketNotifier(self._reader.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._read)
        self._handlers = {number: signal.signal(number, lambda *_: quit()) for number in _SIGNALS}

    def end(self) -> None:
        """Give the signals back."""
        self._notifier.setEnabled(False)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._before)
        self._reader.close()
        self._writer.close()

    def _read(self) -> None:
        self._reader.recv(64)
