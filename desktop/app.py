"""The application: one QApplication, its theme, language and settings, and the window, from start to quit."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QApplication

from desktop.instance import SingleInstance
from desktop.interrupts import Interrupts
from desktop.settings import Settings, SettingsFile
from desktop.translation import set_language
from desktop.views.theme import LARGEST_TEXT, SMALLEST_TEXT, theme
from desktop.views.window import MainWindow
from desktop.views.window_state import WindowState
from runtime import UserFacingError

TEXT_STEP = 10  # percent


class DesktopError(UserFacingError):
    """The window cannot open here: why, and what to do."""


class Shell(QObject):
    """The window with its theme, language and settings. What knows chats and models is joined to it."""

    settingsChanged = Signal(object)  # Settings, after they were kept and applied

    def __init__(self, application: QApplication, folder: Path) -> None:
        super().__init__(application)
        self._application = application
        self._file = SettingsFile(folder / "settings.json")
        self.settings = self._file.load()
        theme().apply(self.settings)
        set_language(application, self.settings.language)
        self.window = MainWindow()
        self.window.composer.set_send_with(self.settings.send_with)
        self.window.keep_state(WindowState(folder / "window.ini"))
        self.window.commandTriggered.connect(self._on_command)

    def change(self, settings: Settings) -> None:
        """Apply `settings` at once and keep them; a failing disk is told in the banner."""
        before, self.settings = self.settings, settings
        theme().apply(settings)
        if settings.language != before.language:
            set_language(self._application, settings.language)
        self.window.composer.set_send_with(settings.send_with)
        try:
            self._file.save(settings)
        except UserFacingError as error:
            self.window.banner.show_notice(str(error))
        self.settingsChanged.emit(settings)

    def _on_command(self, command: str) -> None:
        size = self.settings.text_size
        match command:
            case "larger":
                self.change(replace(self.settings, text_size=min(size + TEXT_STEP, LARGEST_TEXT)))
            case "smaller":
                self.change(replace(self.settings, text_size=max(size - TEXT_STEP, SMALLEST_TEXT)))
            case "actual-size":
                self.change(replace(self.settings, text_size=100))


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
    instance.raiseRequested.connect(shell.window.bring_to_front)
    interrupts = Interrupts(shell.window.close, application)
    shell.window.show()
    try:
        return application.exec()
    finally:
        interrupts.end()
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
