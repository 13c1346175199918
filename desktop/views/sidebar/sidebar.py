"""Sidebar: new chat, search, the list of chats or what a search found, and the way to the archive."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QStackedWidget, QToolButton, QVBoxLayout, QWidget

from desktop.store.records import Folder, Hit
from desktop.views.icons import icon
from desktop.views.parts import ClearableEdit, beside_icon
from desktop.views.sheet import set_kind
from desktop.views.sidebar.hits import HitList
from desktop.views.sidebar.list import ChatList
from desktop.views.sidebar.rows import Row
from desktop.views.sidebar.undo import UndoBar
from desktop.views.theme import theme

_SEARCH_MS = 120  # after the last key press


class SearchField(ClearableEdit):
    """Escape empties it, Down goes to what was found."""

    left = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.text():
            self.clear()
        elif event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.left.emit()
        else:
            super().keyPressEvent(event)


class Sidebar(QWidget):
    """Draws what it is told. What is done with chats is told by `list`'s own signals."""

    newChatRequested = Signal(object)  # id of a folder, or None
    searchRequested = Signal(str)  # an empty text: no more
    hitChosen = Signal(int, object)  # chat, message or None
    archiveShown = Signal(bool)
    undoRequested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.list = ChatList()
        self.hits = HitList()
        self.undo = UndoBar()
        self.search = SearchField()
        set_kind(self.search, "search")
        self._glass = QAction(self)
        self.search.addAction(self._glass, QLineEdit.ActionPosition.LeadingPosition)
        self.new_button = QToolButton()
        self.archive_button = QToolButton()
        self.archive_button.setCheckable(True)
        self.archive_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._empty = QLabel()
        self._empty.setWordWrap(True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignHCenter)
        self._empty.setContentsMargins(16, 24, 16, 16)
        set_kind(self._empty, "muted")
        self._pages = QStackedWidget()
        for page in (self.list, self.hits, self._empty):
            self._pages.addWidget(page)
        top = QHBoxLayout()
        top.setSpacing(6)
        top.addWidget(self.search, 1)
        top.addWidget(self.new_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 10, 10, 8)
        layout.setSpacing(6)
        layout.addLayout(top)
        layout.addWidget(self._pages, 1)
        layout.addWidget(self.undo)
        layout.addWidget(self.archive_button)
        self._query = ""
        self._timer = QTimer(self, singleShot=True, interval=_SEARCH_MS)
        self._timer.timeout.connect(self._search)
        self.search.textChanged.connect(self._on_text)
        self.search.left.connect(self._go_to_list)
        self.new_button.clicked.connect(lambda: self.newChatRequested.emit(None))
        self.list.newChatRequested.connect(self.newChatRequested)
        self.hits.hitChosen.connect(self.hitChosen)
        self.undo.undoRequested.connect(self.undoRequested)
        self.list.undoRequested.connect(self.undoRequested)
        self.archive_button.toggled.connect(self.archiveShown)
        theme().changed.connect(self._on_theme)
        self.setTabOrder(self.search, self.new_button)
        self.setTabOrder(self.new_button, self.list)
        self._on_theme()
        self.retranslate()

    def set_rows(self, rows: Sequence[Row], folders: Sequence[Folder]) -> None:
        """Show these chats."""
        self.list.set_rows(rows, folders)
        self._show_page()

    def set_current(self, chat: int | None) -> None:
        """Mark the chat that the window shows."""
        self.list.set_current(chat)

    def set_hits(self, query: str, hits: Sequence[Hit]) -> None:
        """What was found for `query`; told late, for another one, it is left out."""
        if query == self._query:
            self.hits.hits.set_hits(hits)
            self._show_page()

    def show_undo(self, sentence: str) -> None:
        """Say what was done and offer to take it back."""
        self.undo.show_sentence(sentence)

    def hide_undo(self) -> None:
        """It was taken back in another way."""
        self.undo.hide()

    def focus_search(self) -> None:
        """For the command that searches all chats."""
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    def retranslate(self) -> None:
        """Texts in the language of now."""
        self.setAccessibleName(self.tr("Chats"))
        self.list.setAccessibleName(self.tr("List of chats"))
        self.hits.setAccessibleName(self.tr("Search results"))
        self.search.setPlaceholderText(self.tr("Search"))
        self._glass.setText(self.tr("Search"))
        self.search.setAccessibleName(self.tr("Search all chats"))
        self.new_button.setAccessibleName(self.tr("New chat"))
        self.new_button.setToolTip(self.tr("New chat"))
        self.archive_button.setText(beside_icon(self.tr("Archive")))
        self.archive_button.setAccessibleName(self.tr("Show archived chats"))
        self.undo.retranslate()
        self.list.rows.retranslate()
        self._show_page()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()

    def _show_page(self) -> None:
        if self._query:
            if self.hits.hits.hits:
                self._pages.setCurrentWidget(self.hits)
            else:
                self._say(self.tr("Nothing was found for “{query}”.").format(query=self._query))
        elif self.list.rows.rows:
            self._pages.setCurrentWidget(self.list)
        elif self.archive_button.isChecked():
            self._say(self.tr("No chat is in the archive."))
        else:
            self._say(self.tr("Your chats will be listed here. Write a message to begin one."))

    def _say(self, sentence: str) -> None:
        self._empty.setText(sentence)
        self._pages.setCurrentWidget(self._empty)

    def _on_text(self, text: str) -> None:
        if text.strip():
            self._timer.start()
        else:
            self._timer.stop()
            self._search()

    def _search(self) -> None:
        self._query = self.search.text().strip()
        self.searchRequested.emit(self._query)
        if not self._query:
            self.hits.hits.set_hits(())
            self._show_page()

    def _go_to_list(self) -> None:
        if self._timer.isActive():
            self._timer.stop()
            self._search()
        page = self._pages.currentWidget()
        if page is self.hits:
            self.hits.setCurrentIndex(self.hits.hits.index(0))
        if page is not None and page is not self._empty:
            page.setFocus(Qt.FocusReason.TabFocusReason)

    def _on_theme(self) -> None:
        self._glass.setIcon(icon("search", "muted"))
        self.new_button.setIcon(icon("plus"))
        self.archive_button.setIcon(icon("archive", "muted"))
        side = QSize(theme().scaled(18), theme().scaled(18))
        self.new_button.setIconSize(side)
        self.archive_button.setIconSize(QSize(theme().scaled(15), theme().scaled(15)))
