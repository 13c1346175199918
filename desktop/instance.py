"""SingleInstance: one window for each data folder. A second start shows the first one's window and ends."""

from __future__ import annotations

import hashlib
from pathlib import Path

from PySide6.QtCore import QLockFile, QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

_CONNECT_MS = 2000
_REPLY_MS = 5000  # one that is starting, or busy, comes round to it before; one that hangs does not
_HANDOVER_MS = 500  # from the end of the first one's socket to that of its lock
_RAISE, _SHOWN = b"raise\n", b"shown\n"


class SingleInstance(QObject):
    """Holds the folder's lock, which the system gives back when a process ends, however it ends."""

    raiseRequested = Signal()

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        # A socket's path may have 108 bytes: a data folder may be deeper.
        self._name = "falconet-" + hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:20]
        self._lock = QLockFile(str(folder / "window.lock"))
        self._lock.setStaleLockTime(0)  # held as long as its process lives, not for a time
        self._server: QLocalServer | None = None

    def begin(self) -> bool:
        """Whether this process is the first. The socket of one that was killed is taken over."""
        return self._begin(wait_ms=0)

    def take_over(self) -> bool:
        """Whether the first process, which did not answer, has ended meanwhile, so that this one is the first."""
        return self._begin(wait_ms=_HANDOVER_MS)

    def raise_first(self) -> bool:
        """Ask the first process to show its window; False where it does not say within seconds that it did."""
        socket = QLocalSocket()
        socket.connectToServer(self._name)
        if not socket.waitForConnected(_CONNECT_MS):
            return False
        socket.write(_RAISE)  # the system takes it also for a process that hangs
        shown = socket.waitForReadyRead(_REPLY_MS)
        socket.disconnectFromServer()
        return shown

    def end(self) -> None:
        """Give the folder free."""
        if self._server is not None:
            self._server.close()
        self._lock.unlock()

    def _begin(self, *, wait_ms: int) -> bool:
        if not self._lock.tryLock(wait_ms):
            return False
        QLocalServer.removeServer(self._name)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._answer)
        self._server.listen(self._name)
        return True

    def _answer(self) -> None:
        if self._server is None:
            return
        while (socket := self._server.nextPendingConnection()) is not None:
            socket.disconnected.connect(socket.deleteLater)
            self.raiseRequested.emit()
            socket.write(_SHOWN)
            socket.flush()
