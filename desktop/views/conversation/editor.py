"""Changing a message in place."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QPushButton, QWidget

from desktop.settings import SendWith
from desktop.views.conversation.controls import place
from desktop.views.conversation.style import Style
from desktop.views.sheet import set_kind
from desktop.views.writing import WritingEdit, height_of

_LINES = (2, 12)  # fewest and most that are shown


class _Field(WritingEdit):
    cancelled = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.cancelled.emit()
        else:
            super().keyPressEvent(event)


class InlineEditor(QWidget):
    """A field with Send and Cancel."""

    sent = Signal(str)
    cancelled = Signal(str)  # what stands in the field, too
    changed = Signal(str)
    refused = Signal(str)  # why something that was pasted or dropped is not in the text
    resized = Signal()  # lay out again

    def __init__(self, parent: QWidget, style: Style, text: str, send_with: SendWith) -> None:
        super().__init__(parent)
        self._style = style
        self._rows = 0
        self.field = _Field(self)
        self.field.send_with = send_with
        self.field.setFont(style.font)
        self.set_text(text)
        self.field.setAccessibleName(self.tr("Edit message"))
        self.field.submitted.connect(self._send)
        self.field.refused.connect(self.refused)
        self.field.cancelled.connect(self._cancel)
        self.field.textChanged.connect(self._changed)
        self.field.textChanged.connect(lambda: self.changed.emit(self.text))
        self.send = QPushButton(self.tr("Send"), self)
        set_kind(self.send, "primary")
        self.cancel = QPushButton(self.tr("Cancel"), self)
        self.send.clicked.connect(self._send)
        self.cancel.clicked.connect(self._cancel)
        for part in (self.field, self.send, self.cancel):
            part.setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # the list of messages gives the order of Tab
        self._changed()

    @property
    def text(self) -> str:
        """What stands in the field."""
        return self.field.toPlainText()

    def set_text(self, text: str) -> None:
        """Have another text in the field."""
        self.field.set_text(text)

    def _send(self) -> None:
        if self.send.isEnabled():
            self.sent.emit(self.text)

    def _cancel(self) -> None:
        self.cancelled.emit(self.text)

    def set_busy(self, busy: bool) -> None:
        """While an answer is written nothing can be sent."""
        self._busy = busy
        self.send.setEnabled(not busy and bool(self.text.strip()))

    _busy = False

    def _changed(self) -> None:
        self.set_busy(self._busy)
        rows = self._wanted_rows()
        if rows != self._rows:
            self._rows = rows
            self.resized.emit()

    def _wanted_rows(self) -> int:
        rows = int(self.field.document().size().height())
        return min(max(rows, _LINES[0]), _LINES[1])

    def fit(self, width: int) -> int:
        """Take a width in pixels; the height that is then needed."""
        self.field.resize(width, self.field.height())
        self._rows = self._wanted_rows()
        margins = 2 * (self.field.frameWidth() + int(self.field.document().documentMargin()) + 1)
        fewest = self.field.fontMetrics().lineSpacing() * _LINES[0]
        height = max(height_of(self.field, _LINES[1]), fewest) + margins
        self.field.setGeometry(0, 0, width, height)
        y, right = height + self._style.gap(2), width
        for button in (self.send, self.cancel):
            size = button.sizeHint()
            if size.width() > right < width:  # beside the one before there is no room
                y, right = y + self.send.height() + self._style.gap(2), width
            place(button, QRect(QPoint(right - size.width(), y), size), width)
            right -= size.width() + self._style.gap(2)
        y += self.send.height()
        self.resize(width, y)
        return y
