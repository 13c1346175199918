"""Shell: the window with its theme, language, settings and dialogs. What knows chats and models is joined to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QApplication, QDialog

from desktop.settings import Settings, SettingsFile
from desktop.told import told
from desktop.translation import set_language
from desktop.views.theme import LARGEST_TEXT, SMALLEST_TEXT, theme
from desktop.views.window import MainWindow
from desktop.views.window_state import WindowState
from runtime import UserFacingError

if TYPE_CHECKING:
    from desktop.views.about import AboutDialog
    from desktop.views.chat_settings import ChatSettingsPanel
    from desktop.views.settings_dialog import SettingsDialog
    from desktop.views.shortcuts import ShortcutSheet
    from desktop.views.welcome import Welcome, WelcomeChoice

TEXT_STEP = 10  # percent
D = TypeVar("D", bound=QDialog)


class Shell(QObject):
    """Dialogs and the panel are imported when they are first opened: the window is painted sooner."""

    settingsChanged = Signal(object)  # Settings, after they were kept and applied
    panelMade = Signal(object)  # ChatSettingsPanel, just made and empty: fill it with the chat that is shown
    welcomed = Signal(str)  # key of the model that the user began with; empty where there was none
    modelsRequested = Signal()

    def __init__(self, application: QApplication, folder: Path) -> None:
        super().__init__(application)
        self._application = application
        self._folder = folder
        self._file = SettingsFile(folder / "settings.json")
        self._settings_dialog: SettingsDialog | None = None
        self._panel: ChatSettingsPanel | None = None
        self._welcome: Welcome | None = None
        self.settings = self._file.load()
        theme().apply(self.settings)
        set_language(application, self.settings.language)
        self.window = MainWindow()
        self.window.composer.set_send_with(self.settings.send_with)
        self.window.keep_state(WindowState(folder / "window.ini"))
        self.window.commandTriggered.connect(self._on_command)
        if self._file.notice is not None:
            self.window.banner.show_notice(self._file.notice, lasting=True)

    def change(self, settings: Settings) -> None:
        """Apply `settings` at once and keep them; a failing disk is told in the banner."""
        before, self.settings = self.settings, settings
        theme().apply(settings)
        if settings.language != before.language:
            set_language(self._application, settings.language)
        self.window.composer.set_send_with(settings.send_with)
        if self._settings_dialog is not None:
            self._settings_dialog.set_settings(settings)
        try:
            self._file.save(settings)
        except UserFacingError as error:
            self.window.banner.show_notice(told(error))
        self.settingsChanged.emit(settings)

    def settings_dialog(self) -> SettingsDialog:
        """The settings, made once and kept."""
        from desktop.views.settings_dialog import SettingsDialog

        if self._settings_dialog is None:
            self._settings_dialog = SettingsDialog(self.settings, self.window)
            self._settings_dialog.settingsChanged.connect(self.change)
        return self._settings_dialog

    def shortcut_sheet(self) -> ShortcutSheet:
        """A new sheet of shortcuts."""
        from desktop.views.shortcuts import ShortcutSheet

        return _passing(ShortcutSheet(self.window))

    def about(self) -> AboutDialog:
        """A new About."""
        from desktop.views.about import AboutDialog

        return _passing(AboutDialog(self._folder, self.window))

    def chat_settings(self) -> ChatSettingsPanel:
        """The panel beside the chat, made when it is first asked for."""
        from desktop.views.chat_settings import ChatSettingsPanel

        if self._panel is None:
            self._panel = ChatSettingsPanel()
            self._panel.closeRequested.connect(self.window.action("chat-settings").trigger)
            self.window.set_chat_settings(self._panel)
            self.panelMade.emit(self._panel)
        return self._panel

    def show_welcome(self, choices: Sequence[WelcomeChoice]) -> None:
        """Show the welcome in the chat's place until the user starts."""
        from desktop.views.welcome import Welcome

        page = self._welcome = Welcome(choices)
        page.chosen.connect(self._on_welcomed)
        page.modelsRequested.connect(self.modelsRequested)
        self.window.show_welcome(page)

    def tell_welcome(self, sentence: str) -> None:
        """Say at the welcome, while it is shown, what the model does."""
        if self._welcome is not None and self._welcome is self.window.welcome:
            self._welcome.set_state(sentence)

    def _on_welcomed(self, key: str) -> None:
        self.window.show_chat()
        self.change(replace(self.settings, welcomed=True))
        self.welcomed.emit(key)

    def _on_command(self, command: str) -> None:
        size = self.settings.text_size
        match command:
            case "larger":
                self.change(replace(self.settings, text_size=min(size + TEXT_STEP, LARGEST_TEXT)))
            case "smaller":
                self.change(replace(self.settings, text_size=max(size - TEXT_STEP, SMALLEST_TEXT)))
            case "actual-size":
                self.change(replace(self.settings, text_size=100))
            case "settings":
                _open(self.settings_dialog())
            case "shortcuts":
                _open(self.shortcut_sheet())
            case "about":
                _open(self.about())
            case "chat-settings":
                self.chat_settings()


def _passing(dialog: D) -> D:
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    return dialog


def _open(dialog: QDialog) -> None:
    """Without blocking: an answer goes on being written behind it."""
    dialog.show()
    dialog.raise_()
    dialog.activateWindow()
