"""One message: who, what, and what can be done. The list around gives it a width and asks for its height."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QRect, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QEnterEvent,
    QFocusEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import QGroupBox, QLabel, QWidget

from desktop.settings import SendWith
from desktop.text import Block, plain_text, typed
from desktop.views.bugs import contained
from desktop.views.conversation.body import Body, Spot, text_of
from desktop.views.conversation.code import CodeBlock
from desktop.views.conversation.controls import Notice, paint_panel, paint_ring, place, sentence
from desktop.views.conversation.editor import InlineEditor
from desktop.views.conversation.footer import Footer
from desktop.views.conversation.items import MessageItem
from desktop.views.conversation.marks import Sought
from desktop.views.conversation.menu import message_menu
from desktop.views.conversation.outcome import Outcome
from desktop.views.conversation.prose import claims
from desktop.views.conversation.reading import Reading
from desktop.views.conversation.speaker import Speaker
from desktop.views.conversation.style import Style
from desktop.views.conversation.thoughts import Thoughts


class MessageWidget(QGroupBox):
    """A group to assistive technology, named by who speaks and what is said."""

    copyRequested = Signal(str)
    linkClicked = Signal(str)
    regenerateClicked = Signal()
    continueClicked = Signal()
    restartClicked = Signal()
    edited = Signal(str)  # the editor stays until whoever kept it calls `close_editor`
    editing = Signal(object)  # what stands in the editor now; None: it was closed
    cancelled = Signal(str)  # what stood in the editor
    refused = Signal(str)  # by the editor, and why
    stepped = Signal(int)
    resized = Signal()  # its height may have changed
    selectionStarted = Signal()

    def __init__(self, parent: QWidget, style: Style, item: MessageItem, *, from_end: bool = False) -> None:
        """`from_end`: the end of a long one is written first, as that is what is seen of it."""
        super().__init__(parent)
        self._style = style
        self._reading = Reading(self)
        self._reading.came.connect(self.resized)
        self._ring = self._last = self._busy = False
        self.send_with: SendWith = "enter"  # from editors that are opened
        self._pending, self._offers_restart = "", False
        self._bubble = QRect()
        self._sought: Sought = ""
        self.item = item
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # the list gives the order of Tab
        self.said_by = Speaker(self, style)
        self._dropped: Notice | None = None
        acts = {"regenerate": self.regenerateClicked, "continue": self.continueClicked, "restart": self.restartClicked}
        self._outcome = Outcome(self, style, {name: signal.emit for name, signal in acts.items()})
        self._waiting: QLabel | None = None
        self.thoughts: Thoughts | None = None
        self.editor: InlineEditor | None = None
        self.body = Body(self, style, from_end=from_end)
        self.body.copyRequested.connect(self.copyRequested)
        self.body.linkClicked.connect(self.linkClicked)
        self.body.outdated.connect(self.resized)
        self.body.selectionStarted.connect(self.selectionStarted)
        self.footer = Footer(self, style)
        self.footer.copyClicked.connect(lambda: self.copyRequested.emit(self.item.text))
        self.footer.regenerateClicked.connect(self.regenerateClicked)
        self.footer.continueClicked.connect(self.continueClicked)
        self.footer.editClicked.connect(lambda: self.open_editor())
        self.footer.stepped.connect(self.stepped)
        self.said_by.show(self.item.speaker, self.item.model or "")
        self._show_text()
        self._show_rest()

    # state

    def set_item(self, item: MessageItem) -> None:
        """Another state of the message; only what differs is changed. The list lays out afterwards."""
        before, self.item = self.item, item
        if (item.role, item.model) != (before.role, before.model):
            self.said_by.show(self.item.speaker, self.item.model or "")
        if item.text != before.text or item.state != before.state or item.role != before.role:
            self._show_text()
        if item.state != "streaming":
            self._pending = ""
        self._show_rest()

    def grow(self, item: MessageItem) -> None:
        """The same message with more text: nothing else is looked at."""
        before, self.item = self.item, item
        if item.text != before.text:
            self._show_text()
        self._show_thoughts()
        if self._waiting and (item.text or item.reasoning):
            self._waiting.hide()

    def set_place(self, *, last: bool, busy: bool) -> None:
        """`last`: no message follows; `busy`: an answer is being written somewhere in this conversation."""
        if (last, busy) == (self._last, self._busy):
            return
        self._last, self._busy = last, busy
        self._show_rest()

    def set_pending(self, text: str, *, restart: bool = False) -> None:
        """What an answer without text waits for. `restart`: offer to start the engine again."""
        self._pending, self._offers_restart = text, restart
        self._show_rest()

    def _show_text(self) -> None:
        text, final = self.item.text, self.item.state != "streaming"
        self._show_blocks(typed(text) if self.item.role == "user" else self._reading.read(text, final=final))

    def _show_blocks(self, blocks: list[Block] | None) -> None:
        """None: they come later."""
        if blocks is None:
            return
        self.body.set_blocks(blocks)
        if self._sought:
            self.body.mark(self._sought, None)
        if self.item.state != "streaming" or not self.accessibleName():
            self.setAccessibleName(f"{self.item.speaker}: {plain_text(blocks)}")

    def _show_rest(self) -> None:
        item = self.item
        self.footer.set_item(item, last=self._last, busy=self._busy)
        self.footer.setVisible(item.state != "streaming" and self.editor is None)
        if self.editor:
            self.editor.set_busy(self._busy)
        self._show_dropped()
        self._show_thoughts()
        self._outcome.show(item, self._pending if self._offers_restart else "", busy=self._busy)
        waits = bool(self._pending) and not item.text and not item.reasoning and item.state == "streaming"
        if waits and self._waiting is None:
            self._waiting = sentence(self, self._style)
        if self._waiting:
            self._waiting.setText(self._pending)
            self._waiting.setVisible(waits)

    def _show_dropped(self) -> None:
        dropped = self.item.dropped
        if dropped and self._dropped is None:
            self._dropped = Notice(self, self._style)
        if self._dropped and dropped:
            if dropped.messages:
                left_out = self.tr("%n earlier message(s) were left out of this answer", "", dropped.messages)
            else:
                left_out = self.tr("Part of an earlier message was left out of this answer")
            why = self.tr("the conversation is longer than the model can hold.")
            self._dropped.set_text(f"{left_out}: {why}")
        if self._dropped:
            self._dropped.setVisible(dropped is not None)

    def _show_thoughts(self) -> None:
        if self.item.reasoning and self.thoughts is None:
            self.thoughts = Thoughts(self, self._style)
            self.thoughts.resized.connect(self.resized)
            self.thoughts.show()
        if self.thoughts:
            self.thoughts.set_item(self.item)
            self.thoughts.setVisible(bool(self.item.reasoning))

    # editing

    def open_editor(self, text: str | None = None, *, focus: bool = True) -> None:
        """Change the message in place: with `text` in the editor, or what stands there, or the message's own."""
        if self.editor is None:
            self.editor = InlineEditor(self, self._style, self.item.text if text is None else text, self.send_with)
            self.editor.sent.connect(self.edited)
            self.editor.cancelled.connect(self._cancel_edit)
            self.editor.changed.connect(self.editing.emit)
            self.editor.refused.connect(self.refused)
            self.editor.resized.connect(self.resized)
            self.editor.show()
            self.body.hide()
            self._show_rest()
            self.resized.emit()
            self.editing.emit(self.editor.text)
        elif text is not None:
            self.editor.set_text(text)
        if focus:
            self.editor.field.setFocus(Qt.FocusReason.OtherFocusReason)

    def _cancel_edit(self, text: str) -> None:
        self.close_editor()
        self.cancelled.emit(text)

    def close_editor(self) -> None:
        """Show the message again."""
        if self.editor is None:
            return
        had_focus = self.editor.isAncestorOf(self.focusWidget()) if self.focusWidget() else False
        self.editor.hide()
        self.editor.deleteLater()
        self.editor = None
        self.body.show()
        self._show_rest()
        self.editing.emit(None)
        self.resized.emit()
        if had_focus:
            self.setFocus(Qt.FocusReason.OtherFocusReason)

    # geometry

    def fit(self, width: int) -> int:
        """Take a width in pixels; the height that the message then needs, its distance to the next one included.

        On both sides `inset` pixels are left free, so that the ring of the focus touches no text.
        """
        style, left = self._style, self._style.inset
        y, room = style.gap(2), width - 2 * left
        header = self.said_by.height
        start = self.said_by.fit(left, y, room, width)
        row, edge = self.footer.height_wanted(), style.gap(1.2)  # so much is free around an icon in its button
        if self.item.role == "user":
            place(self.footer, QRect(start, y + (header - row) // 2, room + left - start + edge, row), width)
        y += header + style.gap(1.5)
        if self._dropped and self.item.dropped:
            self._dropped.move(left, y)
            y += self._dropped.fit(room) + style.gap(2)
        if self.thoughts and self.item.reasoning:
            height = self.thoughts.fit(room + edge, edge)
            place(self.thoughts, QRect(left - edge, y, room + edge, height), width)
            y += height + style.gap(1)
        pad = style.gap(3) if self.item.role == "user" and not self.editor else 0
        top, within = y, room - 2 * pad
        y += pad
        if self.editor:
            self.editor.move(left + pad, y)
            y += self.editor.fit(within) + pad
        else:
            begins = self.body.lacks or (self._reading.busy and not self.body.segments)
            kept = style.text_height(self.item.text, within) if begins else 0  # what comes then moves nothing
            self.body.move(left + pad, y)
            y += self.body.fit(within, kept) + pad
        self._bubble = QRect(left, top, room, y - top) if pad else QRect()
        if self._waiting and not self._waiting.isHidden() and not self._outcome.notice:
            height = self._waiting.heightForWidth(room)
            self._waiting.setGeometry(left, y, room, height)
            y += height
        if self._outcome.notice:
            y += style.gap(2)
            self._outcome.notice.move(left, y)
            y += self._outcome.notice.fit(room)
        if self.item.role == "assistant":
            y += style.gap(1)
            place(self.footer, QRect(left - edge, y, room + edge, row), width)
            y += row
        y += style.gap(2)
        self.resize(width, y)
        return y

    def refresh(self) -> None:
        """Write what was read and drawn meanwhile."""
        blocks = self._reading.take()
        if blocks is None:
            self.body.refresh()
        else:
            self._show_blocks(blocks)

    def write_to(self, spot: Spot, below: int) -> None:
        """Write the text as far as `below` pixels under a place, however long that takes."""
        self._show_blocks(self._reading.finish())
        self.body.write_to(spot, below)

    def spot_at(self, y: int) -> Spot | None:
        """The place in the text that is `y` pixels below the top; None while it is edited."""
        return None if self.editor else self.body.spot_at(y - self.body.y())

    def y_of(self, spot: Spot) -> int | None:
        """Where a place is now."""
        found = self.body.y_of(spot)
        return None if found is None or self.editor else found + self.body.y()

    def mark(self, sought: Sought, current: int | None) -> int | None:
        """Show what is sought, place number `current` as chosen; its distance from the top, if it is there."""
        self._sought = sought
        if current is not None:
            self._show_blocks(self._reading.finish())
        y = self.body.mark(sought, current)
        return None if y is None else y + self.body.y()

    @property
    def lacks(self) -> bool:
        """Whether some of its text is not there yet."""
        return self._reading.busy or self.body.lacks

    # focus and keys

    def stops(self) -> list[QWidget]:
        """What Tab reaches within the message, in reading order."""
        inside: list[QWidget] = self.thoughts.stops() if self.thoughts else []
        if self.editor:
            return [*inside, self.editor.field, self.editor.cancel, self.editor.send]
        for segment in self.body.segments:
            if isinstance(segment, CodeBlock):
                inside.append(segment.copy)
            elif segment.has_links:
                inside.append(segment)
        if self._outcome.notice and self._outcome.notice.button:
            inside.append(self._outcome.notice.button)
        inside += self.footer.stops()
        return [part for part in inside if part.isVisible() and part.isEnabled()]

    @property
    def pinned(self) -> bool:
        """Whether it must stay although it is out of sight: it holds the focus, a selection or an edit."""
        focus = self.window().focusWidget()
        inside = focus is not None and (focus is self or self.isAncestorOf(focus))
        return inside or self.editor is not None or bool(self.body.selected_text())

    @contained
    def event(self, event: QEvent) -> bool:
        return claims(event) or super().event(event)

    def enterEvent(self, _event: QEnterEvent) -> None:
        self.footer.show_actions(True)

    def leaveEvent(self, _event: QEvent) -> None:
        self.update_actions()

    def update_actions(self) -> None:
        """Actions are there while the pointer or the focus is."""
        focus = self.window().focusWidget()
        inside = focus is not None and (focus is self or self.isAncestorOf(focus))
        self.footer.show_actions(inside or self.underMouse())

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._ring = event.reason() != Qt.FocusReason.MouseFocusReason
        self.update()

    def focusOutEvent(self, _event: QFocusEvent) -> None:
        self._ring = False
        self.update()

    def mousePressEvent(self, _event: QMouseEvent) -> None:
        self.selectionStarted.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy; Enter goes into the text with a caret, Escape out of it."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copyRequested.emit(self.body.selected_text() or self.item.text)
        elif event.matches(QKeySequence.StandardKey.SelectAll):
            self._show_blocks(self._reading.finish())
            self.body.select_all()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.hasFocus() and self.body.segments:
            text = text_of(self.body.segments[0])
            text.set_caret(True)
            text.setFocus(Qt.FocusReason.OtherFocusReason)
        elif event.key() == Qt.Key.Key_Escape and not self.hasFocus():
            self.setFocus(Qt.FocusReason.OtherFocusReason)
        else:
            event.ignore()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """What can be done, at the pointer, or for a key at the top of what is in sight of the message."""
        if self.editor:
            event.ignore()
            return
        self.footer.set_item(self.item, last=self._last, busy=self._busy)  # which an answer that grows does not do
        corner = self.visibleRegion().boundingRect().topLeft() + QPoint(self._style.inset, self.said_by.height)
        by_mouse = event.reason() == QContextMenuEvent.Reason.Mouse
        where = event.globalPos() if by_mouse else self.mapToGlobal(corner)
        message_menu(self, self.body, self.footer, self.body.mapFromGlobal(where)).popup(where)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The bubble of one's own words, and the ring of the focus; no frame of a group."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self._bubble.isEmpty():
            paint_panel(painter, self._bubble, self._style.bubble, self._style)
        if self._ring:
            paint_ring(painter, self.rect(), self._style)
