"""Menus: the menu bar and the window's QActions, made of the table of commands."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, QObject, QSize
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QApplication,
    QLineEdit,
    QMainWindow,
    QMenu,
    QMenuBar,
    QPlainTextEdit,
    QProxyStyle,
    QStyle,
    QStyleOption,
    QTextEdit,
    QToolButton,
    QWidget,
)

from desktop.views.command import Command, Menu
from desktop.views.commands import COMMANDS, MENU_TITLES
from desktop.views.icons import icon
from desktop.views.parts import ICON_SIDE
from desktop.views.theme import theme

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
        self._rest = _Rest(bar)
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
        self._rest.set_name(self.tr("More menus"))
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


class _Rest(QObject):
    """Qt's own button for the menus that a narrow window has no room for: 12 pixels wide, whatever the text's size, and
    without a picture that would fit."""

    def __init__(self, bar: QMenuBar) -> None:
        super().__init__(bar)
        found = bar.findChild(QToolButton, "qt_menubar_ext_button")
        self._button = found if isinstance(found, QToolButton) and not theme().native else None
        if self._button is None:
            return
        self._style = _RestStyle()  # kept: a widget does not keep its style
        self._button.setStyle(self._style)
        self._button.setIcon(icon("more"))
        theme().changed.connect(self._on_theme)
        self._on_theme()

    def set_name(self, text: str) -> None:
        if self._button is not None:
            self._button.setAccessibleName(text)
            self._button.setToolTip(text)

    def _on_theme(self) -> None:
        assert self._button is not None
        side = theme().scaled(ICON_SIDE)
        self._button.setIconSize(QSize(side, side))


class _RestStyle(QProxyStyle):
    def pixelMetric(
        self, metric: QStyle.PixelMetric, option: QStyleOption | None = None, widget: QWidget | None = None
    ) -> int:
        if metric == QStyle.PixelMetric.PM_ToolBarExtensionExtent:
            return theme().scaled(ICON_SIDE + 8)
        return super().pixelMetric(metric, option, widget)


def _edit(verb: str) -> None:
    focused = QApplication.focusWidget()
    if isinstance(focused, QLineEdit | QPlainTextEdit | QTextEdit):
        getattr(focused, verb)()
