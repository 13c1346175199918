"""Menus: the menu bar and the window's QActions, made of the table of commands."""

from __future__ import annotations

import sys
from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, QEvent, QKeyCombination, QObject, QSize
from PySide6.QtGui import QAction, QKeyEvent
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

from desktop.views.command import Command, Menu, Role, without_letter
from desktop.views.commands import commands, menu_titles
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
_IN_PANELS = {"cut", "copy", "paste", "select-all"}
"""A Mac's panels for files have these keys from the menu only, and Qt gives them those that it knows by their text."""
_OWN_KEYS = {"stop"}
"""Not told of in a Mac's menu, which takes for itself every key that it tells of: Escape closes things, too."""
_FROM_APPKIT = {"full-screen"}
"""A Mac's menu "View" has these without our help."""


class Menus(QObject):
    """Calls `triggered` with a command's id. Commands of the edit menu go to what has the keyboard, those of a Mac's
    window menu to the window in front. `system` as sys.platform has it."""

    def __init__(self, window: QMainWindow, triggered: Callable[[str], None], *, system: str = sys.platform) -> None:
        super().__init__(window)
        self._triggered = triggered
        self._on_a_mac = system == "darwin"
        self._commands = commands(system)
        self._titles = menu_titles(system)
        self.actions: dict[str, QAction] = {}
        self._menus: dict[Menu, QMenu] = {}
        bar = window.menuBar()
        self._rest = _Rest(bar)
        for name in self._titles:
            self._menus[name] = bar.addMenu("")
        for command in self._commands:
            action = self._make(command)
            if not (self._on_a_mac and command.id in _FROM_APPKIT):
                if command.begins_group:
                    self._menus[command.menu].addSeparator()
                self._menus[command.menu].addAction(action)
            window.addAction(action)  # its keys work where the menu bar is hidden, too
            self.actions[command.id] = action
        self.retranslate()

    def retranslate(self) -> None:
        """Texts in the language of now."""
        for name, title in self._titles.items():
            self._menus[name].setTitle(QCoreApplication.translate("Commands", title))
        self._rest.set_name(self.tr("More menus"))
        for command in self._commands:
            action = self.actions[command.id]
            action.setText(self._shown(command))
            action.setStatusTip(command.explanation())
            action.setToolTip(command.explanation())

    def _shown(self, command: Command) -> str:
        if self._is_known_by_text(command):
            return without_letter(command.title())
        keys = command.key_sequences()
        if command.bound or not keys or (self._on_a_mac and command.id in _OWN_KEYS):
            return command.title()
        # Tells of keys that the widget hears by itself.
        return command.title() + "\t" + keys[0].toString(keys[0].SequenceFormat.NativeText)

    def _is_known_by_text(self, command: Command) -> bool:
        return self._on_a_mac and command.id in _IN_PANELS

    def _make(self, command: Command) -> QAction:
        action = QAction(self)
        action.setObjectName(command.id)
        known = self._is_known_by_text(command)
        action.setMenuRole(Role.TextHeuristicRole if known else command.role)
        action.setCheckable(command.checkable)
        if command.bound or known:  # what has the keyboard is asked first, whether it wants keys that are bound
            action.setShortcuts(command.key_sequences())
        if command.id in _EDITING:
            action.triggered.connect(lambda: _edit(command))
        elif command.menu == "window":
            action.triggered.connect(lambda: _arrange(command.id))
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


def _edit(command: Command) -> None:
    focused = QApplication.focusWidget()
    if isinstance(focused, QLineEdit | QPlainTextEdit | QTextEdit) and not focused.isReadOnly():
        getattr(focused, _EDITING[command.id])()
    elif focused is not None and command.key_sequences():
        _press(focused, command.key_sequences()[0][0])  # type: ignore[index]  # Qt's stubs forget it


def _press(widget: QWidget, keys: QKeyCombination) -> None:
    """Have `widget`, or what is around it, do what it does by these keys: a message copies more than the part of it
    that has the keyboard, and a list selects rows. Called, as keys that are sent would come back to the menu."""
    event = QKeyEvent(QEvent.Type.KeyPress, keys.key(), keys.keyboardModifiers())
    around: QWidget | None = widget
    while around is not None:
        event.accept()
        around.keyPressEvent(event)
        around = None if event.isAccepted() or around.isWindow() else around.parentWidget()


def _arrange(command: str) -> None:
    window = QApplication.activeWindow()
    if window is None:
        return
    match command:
        case "minimize":
            window.showMinimized()
        case "zoom":
            window.showNormal() if window.isMaximized() else window.showMaximized()
        case "close-window":
            window.close()
