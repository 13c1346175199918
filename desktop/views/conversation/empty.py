"""What a chat shows before anything was said: that one can begin, and how."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeySequence, QResizeEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop.views.commands import COMMANDS
from desktop.views.parts import EDGE, Paragraph, label
from desktop.views.theme import theme

_GAP = 8  # pixels


class EmptyChat(QWidget):
    """Lies over the empty list and takes no clicks."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._heading, self._how = label("heading"), Paragraph("muted")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(EDGE, EDGE, EDGE, EDGE)
        layout.setSpacing(_GAP)
        layout.addStretch(2)
        for text in (self._heading, self._how):
            text.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            layout.addWidget(text)
        layout.addStretch(3)
        theme().changed.connect(self._choose)
        self.retranslate()

    def retranslate(self) -> None:
        """Texts in the language of now."""
        self._heading.setText(self.tr("What would you like to know?"))
        how = self.tr("Write a message below. {keys} shows what every key does.")
        self._how.set_plain(how.format(keys=_keys("shortcuts")))
        self._choose()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._choose()

    def _choose(self) -> None:
        """Show what there is room for: of large text in a small window nothing is cut."""
        room = self.height() - 2 * EDGE
        heading, how = (text.heightForWidth(self.width() - 2 * EDGE) for text in (self._heading, self._how))
        self._how.setVisible(heading + _GAP + how <= room)
        self._heading.setVisible(heading <= room)


def _keys(command: str) -> str:
    found = next(known for known in COMMANDS if known.id == command)
    return found.key_sequences()[0].toString(QKeySequence.SequenceFormat.NativeText)
