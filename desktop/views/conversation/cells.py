"""Cells of a table: what stands in them, and the room that it needs."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from PySide6.QtGui import QFontMetricsF, QTextCharFormat, QTextCursor, QTextDocument, QTextOption

from desktop.text import Span
from desktop.views.conversation.formulas import FORMULA, FormulaObject
from desktop.views.conversation.maths import drawings
from desktop.views.conversation.style import Style
from desktop.views.conversation.writer import write_span

Cell = Sequence[Span]

_WIDEST_WORD = 20  # characters; longer ones may be broken
_UNBOUNDED = 1e6  # pixels


class Need(NamedTuple):
    """Pixels."""

    least: int  # of the widest word, up to a limit, or formula
    natural: int  # where nothing wraps


def write_cell(cursor: QTextCursor, cell: Cell, style: Style, *, header: bool) -> None:
    """Write what stands in a cell, in bold where it is a `header`."""
    shape = QTextCharFormat()
    shape.setFont(style.font)
    shape.setForeground(style.text)
    if header:
        shape.setFontWeight(650)
    for span in cell:
        write_span(cursor, span, shape, style)


def measure(cells: Sequence[tuple[Cell, bool]], style: Style) -> list[Need]:
    """What cells need, each told with whether it is a header: laid out below each other, without bounds."""
    document = QTextDocument()
    document.setDefaultFont(style.font)
    words = QTextOption()
    words.setWrapMode(QTextOption.WrapMode.WordWrap)
    document.setDefaultTextOption(words)
    formula = FormulaObject(document, drawings)
    document.documentLayout().registerHandler(FORMULA, formula)
    document.setTextWidth(_UNBOUNDED)  # formulas are made smaller where the whole document is narrow
    cursor = QTextCursor(document)
    cursor.beginEditBlock()
    for cell, header in cells:
        write_cell(cursor, cell, style, header=header)
        cursor.insertBlock()
    cursor.endEditBlock()
    document.size()  # lays all out
    limit = ceil(QFontMetricsF(style.font).averageCharWidth() * _WIDEST_WORD)
    needs, block = [], document.begin()
    for cell, _ in cells:
        layout = block.layout()
        least = ceil(layout.minimumWidth())
        if any(span.math for span in cell):  # which cannot be broken, and which Qt takes for nothing there
            drawn = [entry.fragment().charFormat() for entry in block.begin()]  # type: ignore[attr-defined]
            least = ceil(max(least, *(formula.intrinsicSize(document, 0, shape).width() for shape in drawn)))
        else:
            least = min(least, limit)
        needs.append(Need(least, ceil(layout.maximumWidth())))
        block = block.next()
    return needs
