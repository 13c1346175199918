"""Who says a message, and the model that wrote it, on one line."""

from __future__ import annotations

from PySide6.QtCore import QRect
from PySide6.QtWidgets import QWidget

from desktop.views.conversation.controls import place, tint
from desktop.views.conversation.style import Style
from desktop.views.parts import ElidedLabel


class Speaker:
    """Two labels of `parent`."""

    def __init__(self, parent: QWidget, style: Style) -> None:
        self._style = style
        self.who, self._model = ElidedLabel(parent), ElidedLabel(parent)
        font = style.small_font
        self._model.setFont(font)
        tint(self._model, style.muted)
        self.who.setFont(font)
        font = self.who.font()
        font.setBold(True)
        self.who.setFont(font)
        tint(self.who, style.text)
        self._name, self._whole = "", ""

    def show(self, who: str, model: str) -> None:
        """`model` may be empty, and is not said twice."""
        self._name, self._whole = who, "" if model == who else model
        self.who.set_whole(who)
        self._model.set_whole(self._whole)

    @property
    def height(self) -> int:
        """Pixels."""
        return self.who.sizeHint().height()

    def fit(self, left: int, top: int, room: int, width: int) -> int:
        """Place both in `room` from `left` on, as seen from where the language begins in `width`; where the model's
        name begins."""
        name = min(self.who.fontMetrics().horizontalAdvance(self._name) + 2, room)
        start = left + name + self._style.gap(2)
        model = self._model.fontMetrics().horizontalAdvance(self._whole) + 2
        place(self.who, QRect(left, top, name, self.height), width)
        place(self._model, QRect(start, top, max(min(model, room - start + left), 0), self.height), width)
        return start
