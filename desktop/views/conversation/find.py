"""Finding words in this conversation: a bar with a field, and the way from hit to hit."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QToolButton, QWidget

from desktop.views.conversation.items import MessageItem
from desktop.views.icons import icon
from desktop.views.sheet import set_kind


def find_hits(items: Sequence[MessageItem], text: str) -> list[tuple[int, int]]:
    """Every place of `text`, whatever its case: index of the message, and how many places are before it there."""
    wanted = text.casefold()
    if not wanted:
        return []
    return [(index, nth) for index, item in enumerate(items) for nth in range(item.text.casefold().count(wanted))]


class FindBar(QWidget):
    """The field; Enter goes to the next hit, with Shift to the one before, Escape closes."""

    changed = Signal(str)
    stepped = Signal(int)  # -1 or +1
    closed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.field = QLineEdit(self)
        self.field.textChanged.connect(self.changed)
        self.count = QLabel(self)
        set_kind(self.count, "muted")
        self.previous, self.next, self.close_button = (
            self._button("arrow-up", lambda: self.stepped.emit(-1)),
            self._button("arrow-down", lambda: self.stepped.emit(1)),
            self._button("x", self.closed.emit),
        )
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 8, 16, 8)
        layout.addWidget(self.field, 1)
        for part in (self.count, self.previous, self.next, self.close_button):
            layout.addWidget(part)
        self._retranslate()
        self.show_count(0, 0)

    def _button(self, name: str, act: object) -> QToolButton:
        button = QToolButton(self)
        button.setIcon(icon(name))
        button.setAutoRaise(True)
        button.setIconSize(QSize(16, 16))
        button.clicked.connect(act)
        return button

    def _retranslate(self) -> None:
        self.field.setPlaceholderText(self.tr("Find in this chat"))
        self.field.setAccessibleName(self.tr("Find in this chat"))
        for button, label in (
            (self.previous, self.tr("Previous hit")),
            (self.next, self.tr("Next hit")),
            (self.close_button, self.tr("Close")),
        ):
            button.setToolTip(label)
            button.setAccessibleName(label)

    def show_count(self, current: int, hits: int) -> None:
        """`current` counts from 1; 0 where there is none."""
        if not self.field.text():
            self.count.setText("")
        elif not hits:
            self.count.setText(self.tr("Nothing found"))
        else:
            self.count.setText(self.tr("%1 of %2").replace("%1", str(current)).replace("%2", str(hits)))
        for button in (self.previous, self.next):
            button.setEnabled(hits > 0)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.stepped.emit(-1 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1)
        else:
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()
