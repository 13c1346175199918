"""The conversation: its messages, the way back to the newest one, and what is asked before a link is opened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from desktop.settings import SendWith
from desktop.text import check_link
from desktop.views.bugs import contained
from desktop.views.conversation.empty import EmptyChat
from desktop.views.conversation.find import FindBar
from desktop.views.conversation.items import MessageItem
from desktop.views.conversation.links import LinkDialog
from desktop.views.conversation.list import MessageList
from desktop.views.conversation.marks import Finder
from desktop.views.icons import icon


class ConversationView(QWidget):
    """Draws messages and emits what is asked for. Ids are those of the items."""

    regenerateRequested = Signal(int)
    editRequested = Signal(int, str)  # message, its new text; call `close_editor` where it was kept
    editChanged = Signal(int, object)  # message, what stands in its editor; None: it was closed
    editCancelled = Signal(int, str)  # message, what stood in its editor
    editRefused = Signal(str)  # why something that was pasted or dropped is not in an editor
    passed = Signal()  # keys went down from the last message
    continueRequested = Signal(int)
    alternativeRequested = Signal(int, int)  # message, -1 or +1
    copyRequested = Signal(str)  # text for the clipboard
    linkRequested = Signal(str)  # an address that was shown and confirmed
    restartRequested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.find_bar = FindBar(self)  # first: Tab comes to it before the messages, as the eye does
        self.list = MessageList(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self.find_bar.hide()
        layout.addWidget(self.find_bar)
        layout.addWidget(self.list, 1)
        self.setFocusProxy(self.list)
        self.empty = EmptyChat(self)
        self.empty.hide()
        self.newest = QPushButton(icon("arrow-down"), self.tr("Jump to newest"), self)
        self.newest.hide()
        self.newest.clicked.connect(self.list.follow)
        self._at_bottom = True
        self.list.bottomChanged.connect(self._bottom_changed)
        self.list.placed.connect(self._place_newest)
        self.find_bar.changed.connect(self.find_text)
        self.find_bar.stepped.connect(self.find_next)
        self.find_bar.closed.connect(self.close_find)
        self.list.viewport().installEventFilter(self)
        self.list.regenerateRequested.connect(self.regenerateRequested)
        self.list.editRequested.connect(self.editRequested)
        self.list.edits.changed.connect(self.editChanged)
        self.list.editCancelled.connect(self.editCancelled)
        self.list.editRefused.connect(self.editRefused)
        self.list.passed.connect(self.passed)
        self.list.continueRequested.connect(self.continueRequested)
        self.list.alternativeRequested.connect(self.alternativeRequested)
        self.list.copyRequested.connect(self.copyRequested)
        self.list.restartRequested.connect(self.restartRequested)
        self.list.linkClicked.connect(self._ask_link)

    def set_items(self, items: Sequence[MessageItem], *, focus: int | None = None) -> None:
        """Another chat, or another path through this one. `focus`: scroll to that message."""
        self.find_bar.hide()
        self.list.set_items(items, focus=focus)
        self.empty.setVisible(not items)

    def append(self, item: MessageItem) -> None:
        """One more message at the end."""
        self.list.append(item)
        self.empty.hide()

    def stream(self, id: int, text: str, reasoning: str = "", thinking: int | None = None) -> None:  # noqa: A002
        """The whole text so far of the answer that is being written; shown within 33 ms, cheap where it only grew.
        `reasoning`: what was thought before it, `thinking` for how many seconds, while the model does."""
        self.list.stream(id, text, reasoning, thinking)

    def replace(self, item: MessageItem) -> None:
        """Another state of a message: finished, with figures, with other alternatives."""
        self.list.replace(item)

    def show_pending(self, id: int, sentence: str, *, restart: bool = False) -> None:  # noqa: A002
        """What an answer without text waits for; with `restart` a button asks for the engine to be started again."""
        self.list.show_pending(id, sentence, restart=restart)

    def set_busy(self, busy: bool) -> None:
        """While an answer is written, nothing can be regenerated, sent from an editor or paged."""
        self.list.set_busy(busy)

    # edits

    def set_send_with(self, send_with: SendWith) -> None:
        """Whether Enter or Ctrl+Enter sends from the editors of messages."""
        self.list.set_send_with(send_with)

    def set_edits(self, edits: Mapping[int, str]) -> None:
        """Edits under way of the chat whose messages are shown next, by message."""
        self.list.edits.set_all(edits)

    def open_editor(self, message: int, text: str | None = None) -> None:
        """Go to a message and change it in place: with `text` in its editor, or what stands there, or its own."""
        self.list.open_editor(message, text)

    def close_editor(self, message: int) -> None:
        """Its text was kept elsewhere."""
        self.list.close_editor(message)

    def flush_edits(self) -> None:
        """Tell at once which edits changed since they were told: before another chat is shown, or the end."""
        self.list.edits.flush()

    def go_up(self) -> None:
        """To the newest message in sight, by keys from below."""
        self.list.focus_neighbour(-1)

    # finding

    def show_find(self) -> None:
        """Open the bar to find words in this chat."""
        self.find_bar.show()
        self.find_bar.field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.find_bar.field.selectAll()
        self.find_text(self.find_bar.field.text())

    def find_text(self, text: str) -> int:
        """Show every place of `text`, whatever its case, and go to the newest; how many there are."""
        hits = self.list.find_text(text)
        self.find_bar.show_count(hits, hits)
        return hits

    def find_next(self, step: int = 1) -> None:
        """Go to the next hit; -1: to the one before."""
        self.find_bar.show_count(self.list.find_next(step), self.list.hits)

    def show_found(self, message: int, finder: Finder) -> None:
        """Mark what a search over all chats found in a message, until another chat or another search comes."""
        self.find_bar.hide()
        self.list.show_found(message, finder)

    def hide_found(self) -> None:
        """Mark it no longer."""
        self.list.hide_found()

    def close_find(self) -> None:
        """Close the bar and show no hits."""
        self.find_bar.hide()
        self.list.find_text("")
        self.list.setFocus(Qt.FocusReason.OtherFocusReason)

    def _ask_link(self, address: str) -> None:
        link = check_link(address)
        if link is not None:
            dialog = LinkDialog(self, link)
            dialog.confirmed.connect(self.linkRequested)
            dialog.open()

    def _bottom_changed(self, at_bottom: bool) -> None:
        self._at_bottom = at_bottom
        self._place_newest()

    @contained
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self._place_newest()
        return super().eventFilter(watched, event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.newest.setText(self.tr("Jump to newest"))
            self._place_newest()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_newest()

    def _place_newest(self) -> None:
        size = self.newest.sizeHint()
        area = self.list.geometry()
        self.empty.setGeometry(area)
        x = area.left() + (area.width() - size.width()) // 2
        box = QRect(QPoint(x, area.bottom() - size.height() - 12), size)
        shown = not self._at_bottom and not any(map(box.intersects, self._buttons_of_editors()))
        if not shown and self.newest.hasFocus():
            self.list.setFocus(Qt.FocusReason.OtherFocusReason)
        self.newest.setGeometry(box)
        self.newest.setVisible(shown)
        self.newest.raise_()

    def _buttons_of_editors(self) -> Iterator[QRect]:
        """Where they are in the view: nothing lies over them."""
        for message in self.list.widgets.values():
            if message.editor is not None:
                for button in (message.editor.send, message.editor.cancel):
                    yield QRect(button.mapTo(self, QPoint(0, 0)), button.size())
