"""SingleInstance: one window for each data folder. A second start shows the first one's window and ends."""

from __future__ import annotations

import hashlib
from pathlib import Path

from PySide6.QtCore import QLockFile, QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

_PATIENCE_MS = 2000
_RAISE = b"raise\n"


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
        if not self._lock.tryLock(0):
            return False
        QLocalServer.removeServer(self._name)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._answer)
        self._server.listen(self._name)
        return True

    def raise_first(self) -> bool:
        """Ask the first process to show its window; False where it did not answer."""
        socket = QLocalSocket()
        socket.connectToServer(self._name)
        if not socket.waitForConnected(_PATIENCE_MS):
            return False
        socket.write(_RAISE)
        asked = socket.waitForBytesWritten(_PATIENCE_MS)
        socket.disconnectFromServer()
        return asked

    def end(self) -> None:
        """Give the folder free."""
        if self._server is not None:
            self._server.close()
        self._lock.unlock()

    def _answer(self) -> None:
        if self._server is None:
            return
        while (socket := self._server.nextPendingConnection()) is not None:
            socket.disconnected.connect(socket.deleteLater)
            self.raiseRequested.emit()
