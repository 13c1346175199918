"""What a model thought before its answer: one line that says so, and the text below it once that is asked for."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QPlainTextEdit, QToolButton, QWidget

from desktop.views.conversation.controls import place, tint
from desktop.views.conversation.items import MessageItem
from desktop.views.conversation.style import Style
from desktop.views.icons import icon
from desktop.views.sheet import set_kind
from desktop.views.writing import height_of

_LINES = 12  # that are shown at once: the rest scrolls, so that the answer stays near
_PARAGRAPH = 4000  # characters; one that is longer is broken, as Qt lays out all of it at each piece that comes


class Thoughts(QWidget):
    """Closed at first. The text is no part of the answer: no copy of that, no search and no export has it."""

    resized = Signal()  # it was opened or closed

    def __init__(self, parent: QWidget, style: Style) -> None:
        super().__init__(parent)
        self._style = style
        self._whole = ""
        self._written = ""  # of it, what is in the text: not as that gives it back, with other spaces and ends of lines
        self._paragraph = 0  # characters of the last one there
        self.text: QPlainTextEdit | None = None  # once it was opened
        self.button = QToolButton(self)
        self.button.setCheckable(True)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setFont(style.small_font)
        set_kind(self.button, "quiet")
        self.button.setIconSize(QSize(style.gap(3), style.gap(3)))
        self.button.setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # the list of messages gives the order of Tab
        self.button.toggled.connect(self._open)
        self._point()

    def set_item(self, item: MessageItem) -> None:
        """The message whose thoughts these are, as it is now."""
        self._whole = item.reasoning
        if item.thinking is not None:
            words = self.tr("Thinking… {seconds} s").format(seconds=item.thinking)
        else:
            words = self.tr("Thoughts")
        self.button.setText(words)
        self._write()

    def stops(self) -> list[QWidget]:
        """What Tab reaches, in reading order."""
        return [self.button, self.text] if self.text is not None and self.button.isChecked() else [self.button]

    def fit(self, width: int, edge: int) -> int:
        """Take a width in pixels, of which `edge` are for what is free around the button's own picture; the height that
        is then needed."""
        size = self.button.sizeHint()
        place(self.button, QRect(0, 0, min(size.width(), width), size.height()), width)
        height = size.height()
        if self.text is not None and self.button.isChecked():
            height += self._style.gap(1)
            self.text.ensurePolished()
            self.text.resize(width - edge, 2 * size.height())  # which breaks its lines
            wanted = height_of(self.text, _LINES) + self.text.height() - self.text.viewport().height()
            place(self.text, QRect(edge, height, width - edge, wanted), width)
            height += wanted + self._style.gap(2)
        self.resize(width, height)
        return height

    def _open(self, opened: bool) -> None:
        if opened and self.text is None:
            self.text = QPlainTextEdit(self)
            self.text.setReadOnly(True)
            self.text.setUndoRedoEnabled(False)  # each piece would be kept twice
            self.text.setFont(self._style.small_font)
            self.text.document().setDocumentMargin(0)
            self.text.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
            self.text.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
            self.text.setAccessibleName(self.tr("Thoughts"))
            set_kind(self.text, "thoughts")
            tint(self.text, self._style.muted)
        if self.text is not None:
            self.text.setVisible(opened)
        self._point()
        self._write()
        self.resized.emit()

    def _point(self) -> None:
        """The arrow, and what the button does, in words."""
        opened = self.button.isChecked()
        closed = "chevron-left" if self.isRightToLeft() else "chevron-right"
        self.button.setIcon(icon("chevron-down" if opened else closed, "muted"))
        words = self.tr("Hide what the model thought") if opened else self.tr("Show what the model thought")
        self.button.setToolTip(words)
        self.button.setAccessibleDescription(words)

    def _write(self) -> None:
        """The text where it is open; what only grew is appended, and followed where its end was in sight."""
        if self.text is None or not self.button.isChecked():
            return
        if self._written == self._whole:
            return
        bar = self.text.verticalScrollBar()
        follows = bool(self._written) and bar.value() == bar.maximum()
        if not self._whole.startswith(self._written):
            self.text.clear()
            self._written, self._paragraph = "", 0
        end = QTextCursor(self.text.document())
        end.movePosition(QTextCursor.MoveOperation.End)
        end.insertText(self._broken(self._whole[len(self._written) :]))
        if not self._written:
            self.text.moveCursor(QTextCursor.MoveOperation.Start)  # the insertion has pushed it to the end
        self._written = self._whole
        if follows:
            bar.setValue(bar.maximum())

    def _broken(self, more: str) -> str:
        """What comes next, its long paragraphs as several, between words where there are blanks."""
        lines: list[str] = []
        for nth, line in enumerate(more.split("\n")):
            used, rest = 0 if nth else self._paragraph, line
            while used + len(rest) > _PARAGRAPH:
                room = max(0, _PARAGRAPH - used)
                end = rest.rfind(" ", 0, room) + 1 or (0 if used else room)
                lines.append(rest[:end])
                used, rest = 0, rest[end:]
            lines.append(rest)
            self._paragraph = used + len(rest)
        return "\n".join(lines)
