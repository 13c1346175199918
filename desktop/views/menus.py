"""Menus: the menu bar and the window's QActions, made of the table of commands."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, QObject
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QLineEdit, QMainWindow, QMenu, QPlainTextEdit, QTextEdit

from desktop.views.command import Command, Menu
from desktop.views.commands import COMMANDS, MENU_TITLES

_EDITING = {
    "undo": "undo",
    "redo": "redo",
    "cut": "cut",
    "copy": "copy",
    "paste": "paste",
    "select-all": "selectAll",
}


class Menus(QObject):
    """Calls `triggered` with a command's id. Commands of the edit menu go to the text that has the keyboard."""

    def __init__(self, window: QMainWindow, triggered: Callable[[str], None]) -> None:
        super().__init__(window)
        self._triggered = triggered
        self.actions: dict[str, QAction] = {}
        self._menus: dict[Menu, QMenu] = {}
        bar = window.menuBar()
        for name in MENU_TITLES:
            self._menus[name] = bar.addMenu("")
        for command in COMMANDS:
            if command.begins_group:
                self._menus[command.menu].addSeparator()
            action = self._make(command)
            self._menus[command.menu].addAction(action)
            window.addAction(action)  # its keys work where the menu bar is hidden, too
            self.actions[command.id] = action
        self.retranslate()

    def retranslate(self) -> None:
        """Texts in the language of now."""
        for name, title in MENU_TITLES.items():
            self._menus[name].setTitle(QCoreApplication.translate("Commands", title))
        for command in COMMANDS:
            action = self.actions[command.id]
            shown = command.title()
            if not command.bound and command.key_sequences():  # tells of keys that the widget hears by itself
                shown += "\t" + command.key_sequences()[0].toString(
                    command.key_sequences()[0].SequenceFormat.NativeText
                )
            action.setText(shown)
            action.setStatusTip(command.explanation())
            action.setToolTip(command.explanation())

    def _make(self, command: Command) -> QAction:
        action = QAction(self)
        action.setObjectName(command.id)
        action.setMenuRole(command.role)
        action.setCheckable(command.checkable)
        if command.bound:
            action.setShortcuts(command.key_sequences())
        if command.id in _EDITING:
            action.triggered.connect(lambda: _edit(_EDITING[command.id]))
        else:
            action.triggered.connect(lambda: self._triggered(command.id))
        return action


def _edit(verb: str) -> None:
    focused = QApplication.focusWidget()
    if isinstance(focused, QLineEdit | QPlainTextEdit | QTextEdit):
        getattr(focused, verb)()
