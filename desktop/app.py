"""The application: one QApplication, its theme, language and settings, and the window, from start to quit."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from desktop.desk import Desk
from desktop.errors import DesktopError
from desktop.garbage import settle
from desktop.instance import SingleInstance
from desktop.interrupts import Interrupts
from desktop.screen import check_screen
from desktop.shell import Shell
from desktop.views.theme import theme

MARK = Path(__file__).with_name("views") / "marks" / "falconet.svg"


class FirstPaint(QObject):
    """An event filter that calls `painted` once, after the first paint of what it watches."""

    def __init__(self, painted: Callable[[], None], parent: QObject) -> None:
        super().__init__(parent)
        self._painted = painted

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            watched.removeEventFilter(self)
            QTimer.singleShot(0, self._painted)  # the children are drawn with it, before the loop comes round
        return False


def make_application(arguments: list[str]) -> QApplication:
    """The QApplication, named and themed. Raises DesktopError where there is no screen."""
    check_screen()
    QApplication.setApplicationName("Falconet")
    QApplication.setApplicationDisplayName("Falconet")
    QApplication.setDesktopFileName("io.github.falconet.Falconet")
    application = QApplication(arguments)
    application.setWindowIcon(QIcon(str(MARK)))
    theme()
    return application


def run(folder: Path, painted: Callable[[], None] | None = None) -> int:
    """Open the window over the data in `folder` and stay until it is closed; the exit code.

    `painted` is called once, when the window was drawn for the first time.
    Raises DesktopError where there is no screen or the folder cannot be written.
    """
    _check_folder(folder)
    application = make_application(sys.argv[:1])
    instance = SingleInstance(folder, application)
    if not instance.begin():
        if not instance.raise_first():
            raise DesktopError(
                f"Another Falconet holds {folder} and does not answer: quit it, or choose another --data."
            )
        return 0
    shell = Shell(application, folder)
    desk = Desk(shell, folder, application)
    instance.raiseRequested.connect(shell.window.bring_to_front)
    interrupts = Interrupts(shell.window.close, application)
    if painted is not None:
        shell.window.installEventFilter(FirstPaint(painted, shell))
    shell.window.show()
    QTimer.singleShot(0, desk.begin)  # after the first paint
    QTimer.singleShot(0, settle)
    try:
        return application.exec()
    finally:
        interrupts.end()
        desk.close()
        instance.end()


def _check_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise DesktopError(
            f"Falconet cannot write to {folder} ({error.strerror}): choose another folder with --data."
        ) from error
