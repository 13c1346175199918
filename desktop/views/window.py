"""MainWindow: the list of chats, the conversation under its header, the composer, and the chat's settings beside it."""

from __future__ import annotations

import sys

from PySide6.QtCore import QEvent, QPoint, QRect, Qt, Signal
from PySide6.QtGui import QAction, QCloseEvent, QDragEnterEvent, QDropEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QMainWindow,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from desktop.views.banner import Banner
from desktop.views.bugs import contained
from desktop.views.composer import Composer
from desktop.views.header import Header
from desktop.views.menus import Menus
from desktop.views.parts import EDGE, line
from desktop.views.sheet import set_kind
from desktop.views.theme import theme
from desktop.views.window_state import WindowState
from desktop.views.writing import copy_files

_SIDEBAR_WIDTH = 264
_LEAST_SIDEBAR, _MOST_OF_IT = 200, 320  # pixels: it grows with the text, up to where the chat needs the room
_LEAST_READ = 40  # pixels of the conversation that all else leaves
_LEAST_CHAT = 300  # pixels at the system's text size: with less beside it the panel takes the chat's place


class MainWindow(QMainWindow):
    """Does by itself what concerns only the window (panes, full screen); every other command is emitted. `system`, as
    sys.platform has it, is whose menus it has."""

    commandTriggered = Signal(str)  # id of a Command
    closing = Signal(object)  # QCloseEvent: whoever ignores it keeps the window open
    escaped = Signal()

    def __init__(self, *, system: str = sys.platform) -> None:
        super().__init__()
        self.setObjectName("falconet")
        self.setMinimumSize(560, 420)
        self.header = Header()
        self.banner = Banner()
        self.composer = Composer()
        self._state: WindowState | None = None
        self._busy = False
        self._sidebar: QWidget = QWidget()
        self._conversation: QWidget = QWidget()
        self._panel: QWidget | None = None
        self.welcome: QWidget | None = None
        """The page that stands in the chat's place."""

        self._chat = QWidget()
        column = QVBoxLayout(self._chat)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(line())
        self._middle = QVBoxLayout()
        self._middle.addWidget(self._conversation)
        column.addLayout(self._middle, 1)
        self._foot = QWidget()
        foot = QVBoxLayout(self._foot)
        foot.setContentsMargins(0, 0, 0, 0)
        foot.setSpacing(8)
        foot.addWidget(self.banner)
        foot.addWidget(self.composer)
        self._foot_row = QHBoxLayout()
        self._foot_row.addStretch(1)
        self._foot_row.addWidget(self._foot, 1000)
        self._foot_row.addStretch(1)
        column.addLayout(self._foot_row)
        set_kind(self._chat, "page")
        self._chat.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)

        self._pages = QStackedWidget()
        self._pages.addWidget(self._chat)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self._sidebar)
        self.splitter.addWidget(self._pages)
        self.setCentralWidget(self.splitter)
        self.set_sidebar(self._sidebar)
        self.splitter.setSizes([_SIDEBAR_WIDTH, 10_000])

        self.menus = Menus(self, self._on_command, system=system)
        self.action("stop").setEnabled(False)  # until there is an answer
        self.action("sidebar").setChecked(True)
        self.header.sidebarRequested.connect(self.action("sidebar").trigger)
        self.header.modelRequested.connect(self.action("choose-model").trigger)
        self.header.chatSettingsRequested.connect(self.action("chat-settings").trigger)
        self.action("chat-settings").toggled.connect(self.header.settings_button.setChecked)
        self.composer.refused.connect(lambda sentence: self.banner.show_notice(sentence))
        self.setAcceptDrops(True)
        theme().changed.connect(self._on_theme)
        self._on_theme()
        self.retranslate()
        self.composer.setFocus()

    def action(self, command: str) -> QAction:
        """The QAction of a command; KeyError for what is none."""
        return self.menus.actions[command]

    def set_sidebar(self, widget: QWidget) -> None:
        """Put the list of chats in its place; it names itself for a screen reader."""
        set_kind(widget, "sidebar")
        widget.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        if widget is not self._sidebar:
            self.splitter.replaceWidget(0, widget)  # which takes over the width
            self._sidebar.deleteLater()
            self._sidebar = widget
            self._on_theme()
            self._arrange()
        self.splitter.setStretchFactor(0, 0)
        self.splitter.setStretchFactor(1, 1)

    def set_conversation(self, widget: QWidget) -> None:
        """Put the view of messages in its place; it names itself for a screen reader."""
        self._middle.replaceWidget(self._conversation, widget)
        self._conversation.deleteLater()
        self._conversation = widget
        widget.setMinimumHeight(_LEAST_READ)

    def set_chat_settings(self, panel: QWidget) -> None:
        """Put the panel in its place; shown with the command `chat-settings`."""
        self._panel = panel
        self.splitter.addWidget(panel)
        self.splitter.setStretchFactor(2, 0)
        theme().changed.connect(self._arrange)  # after the panel's own part in it
        self._arrange()

    def show_welcome(self, widget: QWidget) -> None:
        """Show a page instead of the chat, until `show_chat`."""
        self.show_chat()
        self.welcome = widget
        self._pages.addWidget(widget)
        self._pages.setCurrentWidget(widget)
        widget.setFocus()

    def show_chat(self) -> None:
        """Show the chat, where a page was in its place."""
        if self.welcome is not None:
            self._pages.removeWidget(self.welcome)
            self.welcome.deleteLater()
            self.welcome = None
        self._pages.setCurrentWidget(self._chat)
        self.composer.setFocus()

    def set_busy(self, busy: bool) -> None:
        """Whether an answer is being written in the chat that is shown."""
        self._busy = busy
        self.composer.set_busy(busy)
        self.action("stop").setEnabled(busy)
        for command in ("regenerate", "continue"):
            self.action(command).setEnabled(not busy)

    def keep_state(self, state: WindowState) -> None:
        """Put the window where `state` says, and tell it at the end."""
        self._state = state
        self.action("sidebar").setChecked(state.restore(self, self.splitter))
        self._arrange()

    def bring_to_front(self) -> None:
        """Show it over other windows, out of the dock too."""
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()

    def panes(self) -> list[QWidget]:
        """What F6 goes through, in order."""
        every = [self._sidebar, self._conversation, self.composer, self._panel]
        return [pane for pane in every if pane is not None and pane.isVisibleTo(self)]

    def retranslate(self) -> None:
        """Texts in the language of now."""
        self.menus.retranslate()
        self.setWindowTitle("Falconet")

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()
        elif event.type() == QEvent.Type.WindowStateChange:
            self.action("full-screen").setChecked(self.isFullScreen())

    @contained
    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:  # the chat may need more room than before, or less
            self._sidebar.setMinimumWidth(self._least_sidebar())
        return done

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.composer.set_room(self.height() // 4)
        self._arrange()

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab goes list, header, conversation, banner, composer, panel, and round again.

        Not by QWidget.setTabOrder: Qt 6.11 closes a circle around a pane whose focus goes to one of its own parts.
        Nor by its chain of focus: see MessageList.
        """
        panes = (self._sidebar, self.welcome, self.header, self._conversation, self.banner, self.composer, self._panel)
        stops = [stop for pane in panes if pane is not None for stop in _stops(pane)]
        focused = QApplication.focusWidget()
        while focused is not None and focused not in stops:
            focused = focused.parentWidget()  # a part of a stop, such as a message in the list of them
        if not stops:
            return False
        if focused is None:
            target = stops[0 if forward else -1]
        else:
            target = stops[(stops.index(focused) + (1 if forward else -1)) % len(stops)]
        reason = Qt.FocusReason.TabFocusReason if forward else Qt.FocusReason.BacktabFocusReason
        target.setFocus(reason)
        return True

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # Reached by an Escape that no widget wanted for itself, such as a search that it closes.
        if event.key() == Qt.Key.Key_Escape:
            if self._busy:
                self.composer.stopRequested.emit()
            self._compose()
            self.escaped.emit()
            return
        super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Files may be dropped anywhere beside a message that can be written."""
        if self.composer.isVisible():
            copy_files(event)

    def dropEvent(self, event: QDropEvent) -> None:
        if copy_files(event):
            self.activateWindow()
            self.composer.setFocus()
            self.composer.edit.take(event.mimeData())

    def closeEvent(self, event: QCloseEvent) -> None:
        self.composer.flush()
        if self._state is not None:
            self._state.save(self, self.splitter, sidebar=self.action("sidebar").isChecked())
        super().closeEvent(event)
        self.closing.emit(event)

    def _on_command(self, command: str) -> None:
        match command:
            case "sidebar":
                if not self.action(command).isChecked() and self._state is not None:
                    self._state.keep_division(self.splitter)
                self._arrange()
            case "chat-settings":
                self.commandTriggered.emit(command)  # the panel may not have been made yet
                self._arrange()
            case "next-pane":
                self._cycle(1)
            case "previous-pane":
                self._cycle(-1)
            case "compose":
                self._compose()
            case "full-screen":
                self.showFullScreen() if self.action(command).isChecked() else self.showNormal()
            case "stop":
                if self._busy:
                    self.composer.stopRequested.emit()
            case "quit":
                self.close()
            case _:
                self.commandTriggered.emit(command)

    def _arrange(self) -> None:
        """Show what was asked for. Where the panel has no room beside the chat it takes the chat's place, and where it
        has none beside the list, that of the list, too."""
        self._sidebar.setMinimumWidth(self._least_sidebar())
        panel = self._panel if self.action("chat-settings").isChecked() else None
        sidebar = self.action("sidebar").isChecked()
        room = self.width() - 2 * self.splitter.handleWidth() - (0 if panel is None else panel.minimumWidth())
        room -= self._sidebar.minimumWidth() if sidebar else 0
        chat = panel is None or room >= theme().scaled(_LEAST_CHAT)
        taken, given_back = self._has_chat() and not chat, chat and not self._has_chat()
        width = self.splitter.sizes()[0]
        focused = QApplication.focusWidget()
        self._pages.setVisible(chat)
        self._sidebar.setVisible(sidebar and (chat or room >= 0))
        if self._panel is not None:
            self._panel.setVisible(panel is not None)
        if taken:
            self.splitter.setSizes([width, 0, self.width()])
        elif given_back and panel is not None:
            self.splitter.setSizes([width, self.width() - width - panel.minimumWidth(), panel.minimumWidth()])
        if focused is not None and self.isAncestorOf(focused) and not focused.isVisibleTo(self):
            # Not to what happens to come next.
            target = self.composer if chat or self._panel is None else _first_focusable(self._panel)
            if target is not None:
                target.setFocus()

    def _least_sidebar(self) -> int:
        """Pixels: as much as its text asks for, of what the chat leaves."""
        left = self.width() - self._chat.minimumSizeHint().width() - self.splitter.handleWidth()
        return max(min(theme().scaled(_LEAST_SIDEBAR), _MOST_OF_IT, left), self._sidebar.minimumSizeHint().width())

    def _has_chat(self) -> bool:
        return not self._pages.isHidden()

    def _compose(self) -> None:
        if not self._has_chat():
            self.action("chat-settings").trigger()
        self.composer.setFocus()

    def _cycle(self, step: int) -> None:
        panes = self.panes()
        focused = QApplication.focusWidget()
        at = next((n for n, pane in enumerate(panes) if focused and (pane is focused or pane.isAncestorOf(focused))), 0)
        for distance in range(1, len(panes) + 1):
            pane = panes[(at + step * distance) % len(panes)]
            target = pane if pane.focusPolicy() or pane.focusProxy() else _first_focusable(pane)
            if target is not None:
                target.setFocus(Qt.FocusReason.ShortcutFocusReason)
                return

    def _on_theme(self) -> None:
        self._foot.setMaximumWidth(theme().column())
        self._sidebar.setMinimumWidth(self._least_sidebar())
        edge = theme().scaled(EDGE)
        self._foot_row.setContentsMargins(edge, 8, edge, 16)


def _stops(pane: QWidget) -> list[QWidget]:
    """Where Tab stops in `pane` as it is now, row by row, each from where the language begins."""
    found = [pane, *pane.findChildren(QWidget)]
    found = [widget for widget in found if _takes_tab(widget) and widget.isVisible() and widget.isEnabled()]
    found = [
        widget for widget in found if not any(other is not widget and other.isAncestorOf(widget) for other in found)
    ]
    places = {widget: QRect(widget.mapTo(pane, QPoint()), widget.size()) for widget in found}
    rows: list[list[QWidget]] = []
    for widget in sorted(found, key=lambda widget: places[widget].top()):
        if rows and places[widget].center().y() <= places[rows[-1][0]].bottom():
            rows[-1].append(widget)
        else:
            rows.append([widget])
    backwards = pane.layoutDirection() == Qt.LayoutDirection.RightToLeft
    for row in rows:
        row.sort(key=lambda widget: -places[widget].right() if backwards else places[widget].left())
    return [widget for row in rows for widget in row]


def _takes_tab(widget: QWidget) -> bool:
    return bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus) and widget.focusProxy() is None


def _first_focusable(pane: QWidget) -> QWidget | None:
    for child in pane.findChildren(QWidget):
        if child.focusPolicy() & Qt.FocusPolicy.TabFocus and child.isVisibleTo(pane) and child.isEnabled():
            return child
    return None
