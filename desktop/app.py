"""The application: one QApplication, its theme, language and settings, and the window, from start to quit."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from desktop.desk import Desk
from desktop.instance import SingleInstance
from desktop.interrupts import Interrupts
from desktop.shell import Shell
from desktop.views.theme import theme
from runtime import UserFacingError


class DesktopError(UserFacingError):
    """The window cannot open here: why, and what to do."""


def make_application(arguments: list[str]) -> QApplication:
    """The QApplication, named and themed. Raises DesktopError where there is no screen."""
    if sys.platform.startswith("linux"):
        _check_screen()
    QApplication.setApplicationName("Falconet")
    QApplication.setApplicationDisplayName("Falconet")
    QApplication.setDesktopFileName("io.github.falconet.Falconet")
    application = QApplication(arguments)
    theme()
    return application


def run(folder: Path) -> int:
    """Open the window over the data in `folder` and stay until it is closed; the exit code.

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
    shell.window.show()
    QTimer.singleShot(0, desk.begin)  # after the first paint
    try:
        return application.exec()
    finally:
        interrupts.end()
        desk.close()
        instance.end()


def _check_screen() -> None:
    """Qt aborts the process where it finds no screen: look before it does."""
    if os.environ.get("QT_QPA_PLATFORM") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return
    raise DesktopError("There is no screen to open a window on: start Falconet in a desktop session.")


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
