"""Formulas in a QTextDocument: signs without a meaning of their own, in the place of which drawings are painted."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QObject, QPointF, QRect, QRectF, QSizeF
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QPagedPaintDevice,
    QPainter,
    QPyTextObject,
    QTextCharFormat,
    QTextDocument,
    QTextFormat,
)
from PySide6.QtSvg import QSvgRenderer

from desktop.text import UNIT, Drawing
from desktop.views.conversation.style import sized
from desktop.views.parts import tip

SOURCE = QTextFormat.Property.UserProperty + 3  # its LaTeX
DISPLAY = QTextFormat.Property.UserProperty + 4  # True on a line of its own
SCALE = QTextFormat.Property.UserProperty + 5  # dots for a unit of its drawing
ASCENT = QTextFormat.Property.UserProperty + 7  # dots above the base line that the text around has
FORMULA = QTextFormat.ObjectTypes.UserObject + 1
OBJECT = "￼"


class Drawn(Protocol):
    """Where drawings are found."""

    def find(self, source: str, display: bool) -> Drawing | None:
        """The drawing; None where there is none."""

    def renderer(self, source: str, display: bool, colour: QColor) -> QSvgRenderer | None:
        """What paints the drawing in `colour`."""


def formula_format(
    source: str, display: bool, drawing: Drawing, around: QTextCharFormat, paper: QPagedPaintDevice | None = None
) -> QTextCharFormat:
    """The format of OBJECT for a formula in text of the format `around`."""
    shape = QTextCharFormat()
    metrics = QFontMetricsF(around.font()) if paper is None else QFontMetricsF(around.font(), paper)
    scale = 1.1 * metrics.height() * 0.82 / UNIT
    shape.setFont(around.font())
    kept = _kept_below(shape)
    if kept < drawing.descent * scale:
        shape.setFont(sized(around.font(), (drawing.descent * scale + 1) / kept))
    shape.setObjectType(FORMULA)
    shape.setVerticalAlignment(QTextCharFormat.VerticalAlignment.AlignBaseline)
    shape.setForeground(around.foreground())
    shape.setProperty(SOURCE, source)
    shape.setProperty(DISPLAY, display)
    shape.setProperty(SCALE, scale)
    shape.setProperty(ASCENT, metrics.ascent())
    shape.setToolTip(tip(source))
    return shape


def _kept_below(shape: QTextCharFormat) -> float:
    """What a line keeps below its base for an object, on paper too in as many dots as its font has pixels here.

    This font is the only lever that a layout of Qt offers.
    """
    return QFontMetricsF(shape.font()).descent()


class FormulaObject(QPyTextObject):
    """Measures and paints formulas in a document."""

    def __init__(self, parent: QObject, drawn: Drawn) -> None:
        super().__init__(parent)
        self._drawn = drawn

    def intrinsicSize(self, document: QTextDocument, _position: int, kind: QTextFormat) -> QSizeF:
        """Width and height, a line's at least; a formula wider than the page is made smaller."""
        drawing = self._drawn.find(kind.property(SOURCE), kind.property(DISPLAY))
        if drawing is None:
            return QSizeF(0, 0)
        scale = kind.property(SCALE) * self._squeeze(document, drawing.width * kind.property(SCALE))
        ascent = max(drawing.ascent * scale, kind.property(ASCENT))
        return QSizeF(drawing.width * scale, ascent + _kept_below(kind.toCharFormat()))

    def drawObject(
        self, painter: QPainter, box: QRectF | QRect, document: QTextDocument, _position: int, kind: QTextFormat
    ) -> None:
        """Paint as vectors: sharp at every pixel ratio."""
        source, display = kind.property(SOURCE), kind.property(DISPLAY)
        drawing = self._drawn.find(source, display)
        renderer = self._drawn.renderer(source, display, kind.foreground().color())
        if drawing is None or renderer is None:
            return
        scale = kind.property(SCALE) * self._squeeze(document, drawing.width * kind.property(SCALE))
        size = QSizeF(drawing.width * scale, (drawing.ascent + drawing.descent) * scale)
        top = box.y() + max(kind.property(ASCENT) - drawing.ascent * scale, 0)
        renderer.render(painter, QRectF(QPointF(box.x(), top), size))

    @staticmethod
    def _squeeze(document: QTextDocument, width: float) -> float:
        room = document.textWidth()
        return min(1.0, room / width) if room > 0 and width > 0 else 1.0
