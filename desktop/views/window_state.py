"""WindowState: where the window was and how it was divided, kept apart from the settings that the user makes."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray, QRect, QSettings, QSize
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMainWindow, QSplitter

FIRST_SIZE = QSize(1180, 780)
_GRIP = 80  # pixels of the title bar that must be on a screen to hold it by


class WindowState:
    """window.ini in the data folder. A file that cannot be read or written costs the window's place, nothing more."""

    def __init__(self, file: Path) -> None:
        self._settings = QSettings(str(file), QSettings.Format.IniFormat)

    def restore(self, window: QMainWindow, splitter: QSplitter) -> bool:
        """Put the window where it was, moved onto a screen where that one is gone. Whether the list was shown."""
        geometry = self._settings.value("geometry")
        if not (isinstance(geometry, QByteArray) and window.restoreGeometry(geometry)):
            room = window.screen().availableSize() - QSize(0, _GRIP // 2)  # for the title bar
            window.resize(FIRST_SIZE.boundedTo(room))
        mend(window)
        sizes = self._settings.value("splitter")
        if isinstance(sizes, QByteArray):
            splitter.restoreState(sizes)
        return bool(self._settings.value("sidebar", defaultValue=True, type=bool))

    def save(self, window: QMainWindow, splitter: QSplitter, *, sidebar: bool) -> None:
        """Keep it for the next start. `sidebar`: whether the list of chats is shown."""
        self._settings.setValue("geometry", window.saveGeometry())
        self._settings.setValue("sidebar", sidebar)
        if sidebar:
            self.keep_division(splitter)
        self._settings.sync()

    def keep_division(self, splitter: QSplitter) -> None:
        """Keep the widths while all parts are shown: a hidden one has none."""
        self._settings.setValue("splitter", splitter.saveState())


def mend(window: QMainWindow) -> None:
    """Move a window that no screen shows enough of onto the first screen, and make it no larger than that."""
    frame = window.geometry()
    grip = QRect(frame.left(), frame.top(), frame.width(), _GRIP // 2)
    for screen in QGuiApplication.screens():
        seen = screen.availableGeometry().intersected(grip)
        if seen.width() >= _GRIP and seen.height() > 0:
            return
    area = QGuiApplication.primaryScreen().availableGeometry()
    size = frame.size().boundedTo(area.size())
    place = QRect(area.topLeft(), size)
    place.moveCenter(area.center())
    window.setGeometry(place)
