"""Finding words in this conversation: a bar with a field, and the way from hit to hit."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from desktop.views.conversation.items import MessageItem
from desktop.views.parts import EDGE, IconButton, line
from desktop.views.sheet import set_kind
from desktop.views.theme import theme


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
        self.field = QLineEdit()
        self.field.textChanged.connect(self.changed)
        self.count = QLabel()
        set_kind(self.count, "muted")
        self.previous, self.next, self.close_button = IconButton("arrow-up"), IconButton("arrow-down"), IconButton("x")
        self.previous.clicked.connect(lambda: self.stepped.emit(-1))
        self.next.clicked.connect(lambda: self.stepped.emit(1))
        self.close_button.clicked.connect(self.closed)
        self._row = QWidget()  # as wide as the text that is searched
        inside = QHBoxLayout(self._row)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(8)
        inside.addWidget(self.field, 1)
        for part in (self.count, self.previous, self.next, self.close_button):
            inside.addWidget(part)
        self._around = QHBoxLayout()
        self._around.addStretch(1)
        self._around.addWidget(self._row, 1000)
        self._around.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(self._around)
        layout.addWidget(line())
        theme().changed.connect(self._on_theme)
        self._on_theme()
        self._retranslate()
        self.show_count(0, 0)

    def _on_theme(self) -> None:
        self._row.setMaximumWidth(theme().column())
        edge = theme().scaled(EDGE)
        self._around.setContentsMargins(edge, 8, edge, 8)

    def _retranslate(self) -> None:
        self.field.setPlaceholderText(self.tr("Find in this chat"))
        self.field.setAccessibleName(self.tr("Find in this chat"))
        for button, label in (
            (self.previous, self.tr("Previous hit")),
            (self.next, self.tr("Next hit")),
            (self.close_button, self.tr("Close")),
        ):
            button.set_name(label)

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
