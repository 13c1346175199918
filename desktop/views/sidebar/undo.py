"""UndoBar: what was done to chats, and a button that takes it back, for a while."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QEnterEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from desktop.views.sheet import set_kind

SECONDS = 12  # that it stays, longer where someone is at it


class UndoBar(QFrame):
    """Hidden until something can be taken back."""

    undoRequested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_kind(self, "notice")
        self.label = QLabel()
        self.label.setWordWrap(True)
        self.button = QPushButton()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addSpacing(6)  # mirrored, which margins are not
        layout.addWidget(self.label, 1)
        layout.addWidget(self.button)
        self._timer = QTimer(self, singleShot=True, interval=SECONDS * 1000)
        self._timer.timeout.connect(self._leave)
        self.button.clicked.connect(self._undo)
        self.retranslate()
        self.hide()

    def show_sentence(self, sentence: str) -> None:
        """Say what was done; a screen reader is told at once."""
        self.label.setText(sentence)
        self.setAccessibleName(sentence)
        self.show()
        self._timer.start()
        said = QAccessibleAnnouncementEvent(self, sentence)
        said.setPoliteness(QAccessible.AnnouncementPoliteness.Assertive)
        QAccessible.updateAccessibility(said)

    def retranslate(self) -> None:
        """Texts in the language of now."""
        self.button.setText(self.tr("Undo"))

    def enterEvent(self, event: QEnterEvent) -> None:
        self._timer.stop()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self._timer.start()
        super().leaveEvent(event)

    def _undo(self) -> None:
        self.hide()
        self.undoRequested.emit()

    def _leave(self) -> None:
        if self.button.hasFocus():
            self._timer.start()
        else:
            self.hide()
