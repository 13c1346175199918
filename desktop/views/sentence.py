"""Sentence: a text of some lines that can be read to its end: what has no room scrolls, also by keys."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QResizeEvent, QTextOption
from PySide6.QtWidgets import QSizePolicy, QTextEdit

from desktop.views.sheet import set_kind

_RING = 2  # pixels, around what keys scroll
_ENDLESS = 1_000_000  # pixels
_READ = Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard


class Sentence(QTextEdit):
    """Wraps, within a path too. `lines` are shown at once, at most. Its name for a screen reader is its owner's."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self._lines = lines
        set_kind(self, "words")
        self.setReadOnly(True)
        self.setTabChangesFocus(True)
        self.setTextInteractionFlags(_READ)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.document().setDocumentMargin(0)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def set_lines(self, lines: int) -> None:
        """How many are shown at once, at most."""
        self._lines = lines
        self.updateGeometry()

    def text(self) -> str:
        """What it says."""
        return self.toPlainText()

    def keep_height(self) -> None:
        """As tall as all its lines, whatever it says: nothing moves below it."""
        self.setFixedHeight(self._lines * self.fontMetrics().lineSpacing() + 2 * _RING)

    def say(self, sentence: str) -> None:
        """Show another sentence, from its beginning."""
        self.setPlainText(sentence)
        self.updateGeometry()
        self._take_keys()

    def heightForWidth(self, width: int) -> int:
        most = self._lines * self.fontMetrics().lineSpacing()
        return min(self._wanted(width - 2 * _RING), most) + 2 * _RING

    def sizeHint(self) -> QSize:
        return QSize(self.minimumSizeHint().width(), self.heightForWidth(self.width()))

    def minimumSizeHint(self) -> QSize:
        return QSize(8 * self.fontMetrics().averageCharWidth(), self.fontMetrics().lineSpacing() + 2 * _RING)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._take_keys()

    def _wanted(self, width: int) -> int:
        flags = Qt.TextFlag.TextWordWrap | Qt.TextFlag.TextWrapAnywhere
        return self.fontMetrics().boundingRect(QRect(0, 0, width, _ENDLESS), flags, self.text()).height()

    def _take_keys(self) -> None:
        scrolls = self._wanted(self.viewport().width()) > self.viewport().height()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if scrolls else Qt.FocusPolicy.ClickFocus)
