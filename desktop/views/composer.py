"""Composer: where the user writes. It grows with its text as far as there is room, keeps a draft, sends and stops."""

from __future__ import annotations

import sys
from typing import Literal

from PySide6.QtCore import QEvent, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from desktop.views.icons import icon
from desktop.views.sheet import set_kind, set_property
from desktop.views.theme import theme
from desktop.views.writing import WritingEdit, height_of

MOST_LINES = 8
_FEWEST_LINES = 2  # that it may grow to, however little room there is
_ON_A_MAC = sys.platform == "darwin"  # where Alt with an arrow goes through a text's paragraphs
DRAFT_DELAY_MS = 400  # typing is not written to the disk key by key


class ComposerEdit(WritingEdit):
    """The text itself."""

    editLastRequested = Signal()
    upRequested = Signal()
    focusChanged = Signal(bool)
    resized = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.document().setDocumentMargin(0)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier  # which a Mac's arrows have
        empty = self.document().isEmpty()
        if event.key() == Qt.Key.Key_Up and held == Qt.KeyboardModifier.NoModifier and empty:
            self.editLastRequested.emit()
        elif event.key() == Qt.Key.Key_Up and held == Qt.KeyboardModifier.AltModifier and (empty or not _ON_A_MAC):
            self.upRequested.emit()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.focusChanged.emit(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.focusChanged.emit(False)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.resized.emit()  # another width wraps lines elsewhere

    def lines(self) -> int:
        """Lines as they are shown, long ones wrapped."""
        return max(1, round(self.document().size().height()))


class Composer(QWidget):
    """Emits what was asked for and clears nothing: whoever kept the message calls `set_draft("")`."""

    sendRequested = Signal(str)
    stopRequested = Signal()
    draftChanged = Signal(str)
    editLastRequested = Signal()  # what was said last is to be changed
    upRequested = Signal()  # to the messages above
    refused = Signal(str)  # why something that was pasted or dropped is not in the text

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._busy = False
        self._room = sys.maxsize
        self.edit = ComposerEdit()
        self.button = QToolButton()
        set_kind(self.button, "round")
        self._field = QFrame()
        set_kind(self._field, "field")
        inside = QHBoxLayout(self._field)
        inside.setContentsMargins(8, 8, 8, 8)
        inside.setSpacing(8)
        inside.addSpacing(8)  # mirrored, which margins are not
        inside.addWidget(self.edit, 1, Qt.AlignmentFlag.AlignVCenter)
        inside.addWidget(self.button, 0, Qt.AlignmentFlag.AlignBottom)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._field)
        self.setFocusProxy(self.edit)

        self._draft_timer = QTimer(self, singleShot=True, interval=DRAFT_DELAY_MS)
        self._draft_timer.timeout.connect(self._tell_draft)
        self.edit.textChanged.connect(self._on_text)
        self.edit.document().documentLayout().documentSizeChanged.connect(self._fit)
        self.edit.resized.connect(self._fit)
        self.edit.submitted.connect(self._send)
        self.edit.editLastRequested.connect(self.editLastRequested)
        self.edit.upRequested.connect(self.upRequested)
        self.edit.refused.connect(self.refused)
        self.edit.focusChanged.connect(self._on_focus)
        self.button.clicked.connect(self._on_button)
        theme().changed.connect(self._on_theme)
        self.retranslate()
        self._on_theme()

    def text(self) -> str:
        """What stands in it now."""
        return self.edit.toPlainText()

    def set_draft(self, text: str) -> None:
        """Show another chat's draft. A draft of the chat before must have been taken: see `flush`."""
        self._draft_timer.stop()
        self.edit.blockSignals(True)
        self.edit.set_text(text)
        self.edit.blockSignals(False)
        self._draw_button()
        self._fit()

    def flush(self) -> None:
        """Tell the draft at once, where it changed since it was told: before another chat is shown, or the end."""
        if self._draft_timer.isActive():
            self._draft_timer.stop()
            self._tell_draft()

    def set_room(self, pixels: int) -> None:
        """How high the text may become, where that is less than its most lines."""
        self._room = pixels
        self._fit()

    def set_busy(self, busy: bool) -> None:
        """Whether an answer is being written: the button then stops it."""
        self._busy = busy
        self._draw_button()

    def set_send_with(self, send_with: Literal["enter", "ctrl_enter"]) -> None:
        """Whether Enter sends (Shift+Enter begins a line) or Ctrl+Enter does (Enter begins a line)."""
        self.edit.send_with = send_with
        self.retranslate()

    def retranslate(self) -> None:
        """Texts in the language of now."""
        self._show_placeholder()
        self.edit.setAccessibleName(self.tr("Message"))
        if self.edit.send_with == "enter":
            hint = self.tr("Enter sends, Shift+Enter begins a new line.")
        elif _ON_A_MAC:  # where Qt's Control is the Command key
            hint = self.tr("Cmd+Enter sends, Enter begins a new line.")
        else:
            hint = self.tr("Ctrl+Enter sends, Enter begins a new line.")
        self.edit.setAccessibleDescription(hint)
        self.edit.setToolTip(hint)
        self._draw_button()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()

    def _send(self) -> None:
        if not self._busy and self.text().strip():
            self.sendRequested.emit(self.text())

    def _on_button(self) -> None:
        if self._busy:
            self.stopRequested.emit()
        else:
            self._send()

    def _on_text(self) -> None:
        self._draft_timer.start()
        self._draw_button()

    def _tell_draft(self) -> None:
        self.draftChanged.emit(self.text())

    def _on_focus(self, focused: bool) -> None:
        set_property(self._field, "focused", focused)
        if not focused:
            self.flush()

    def _draw_button(self) -> None:
        ready = self._busy or not self.edit.document().isEmpty()
        name = self.tr("Stop the answer") if self._busy else self.tr("Send")
        self.button.setEnabled(ready)
        self.button.setIcon(icon("stop" if self._busy else "send", "on_accent"))
        self.button.setAccessibleName(name)
        self.button.setToolTip(name)

    def _show_placeholder(self) -> None:
        """The one that has room: Qt wraps it, and shows the first line."""
        whole = self.tr("Write a message")
        fits = self.edit.fontMetrics().horizontalAdvance(whole) <= self.edit.viewport().width()
        self.edit.setPlaceholderText(whole if fits else self.tr("Message"))

    def _on_theme(self) -> None:
        side = theme().scaled(32)
        self.button.setFixedSize(side, side)
        self.button.setIconSize(QSize(theme().scaled(16), theme().scaled(16)))
        self._fit()

    def _fit(self) -> None:
        self._show_placeholder()
        policy = Qt.ScrollBarPolicy
        most = range(MOST_LINES, _FEWEST_LINES, -1)
        most_lines = next((lines for lines in most if height_of(self.edit, lines) <= self._room), _FEWEST_LINES)
        long = self.edit.lines() > most_lines
        before = self.edit.viewport().size()
        self.edit.setVerticalScrollBarPolicy(policy.ScrollBarAsNeeded if long else policy.ScrollBarAlwaysOff)
        self.edit.setFixedHeight(height_of(self.edit, most_lines))
        if self.edit.viewport().size() != before:  # Qt has scrolled by the size before
            self.edit.ensureCursorVisible()
