"""Where a document that was laid out in one piece is cut into sheets. All lengths are in dots of its paper.

Qt's own pages leave headings alone at their foot, and cut rows of tables in two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from PySide6.QtGui import QTextBlock, QTextCursor, QTextDocument, QTextFormat, QTextTable

_TOGETHER = 2  # lines of a paragraph at the end of a sheet, and at the beginning of one
_RULE = QTextFormat.Property.BlockTrailingHorizontalRulerWidth


class Strip(NamedTuple):
    """A piece of a document, from one height to another."""

    top: float
    bottom: float


class Sheet(NamedTuple):
    """What stands on a sheet: above all the head of a table that goes on, if there is one, then a piece."""

    head: Strip | None
    piece: Strip


@dataclass(frozen=True)
class Part:
    """What is not cut: a line, a row of a table."""

    top: float
    bottom: float
    together: bool = False  # with what is before it
    anew: bool = False  # on a sheet of its own
    head: Strip | None = None  # of the table that it goes on


def measure(document: QTextDocument, height: float, pixel: float) -> Iterator[Part]:
    """What of `document` is not cut, in its order, for sheets of a `height`; `pixel`: how many dots it is."""
    headed = False  # by the block before
    block = document.begin()
    while block.isValid():
        table = _table(block)
        if table is not None:
            yield from _rows(document, table, height, pixel, headed)
            headed, block = False, document.findBlock(table.lastPosition() + 1)
            if not block.text():  # which has no room of its own
                block = block.next()
            continue
        shape, after = block.blockFormat(), block.next()
        rule = shape.hasProperty(_RULE)
        if not (rule or block.text()) and after.isValid() and _table(after) is not None:  # an item that begins with it
            block = after
            continue
        heading = rule or shape.headingLevel() > 0
        anew = bool(shape.pageBreakPolicy() & QTextFormat.PageBreakFlag.PageBreak_AlwaysBefore)
        lines = _lines(document, block)
        for nth, line in enumerate(lines):
            alone = 0 < nth < _TOGETHER or nth > max(0, len(lines) - _TOGETHER)
            yield Part(line.top, line.bottom, headed if nth == 0 else heading or alone, anew and nth == 0)
        headed, block = heading, after


def cut(parts: Sequence[Part], height: float) -> list[Sheet]:
    """What was measured as sheets of a `height`.

    A heading, or a line across, stands with what follows it, the head of a table with its first row, and again on each
    sheet that it goes on; of a paragraph no line is alone. What is higher than a sheet is cut between its lines, a line
    where the sheet ends.
    """
    sheets: list[Sheet] = []
    first = 0
    while first < len(parts):
        head, top = parts[first].head if sheets else None, parts[first].top
        room = height - (head.bottom - head.top if head else 0)
        first = _end(parts, first, room)
        bottom = parts[first - 1].bottom
        while bottom > top + room:
            sheets.append(Sheet(head, Strip(top, top + room)))
            head, top, room = None, top + room, height
        sheets.append(Sheet(head, Strip(top, bottom)))
    return sheets or [Sheet(None, Strip(0, 0))]


def _end(parts: Sequence[Part], first: int, room: float) -> int:
    """Place of the part that the next sheet begins with."""
    end = first + 1
    while end < len(parts) and not parts[end].anew and parts[end].bottom <= parts[first].top + room:
        end += 1
    if end == len(parts) or parts[end].anew:
        return end
    return next((place for place in range(end, first, -1) if not parts[place].together), end)


def _table(block: QTextBlock) -> QTextTable | None:
    return QTextCursor(block).currentTable()


def _lines(document: QTextDocument, block: QTextBlock) -> list[Strip]:
    box, layout = document.documentLayout().blockBoundingRect(block), block.layout()
    lines = [layout.lineAt(nth) for nth in range(layout.lineCount())]
    return [Strip(box.top() + line.y(), box.top() + line.y() + line.height()) for line in lines] or [
        Strip(box.top(), box.bottom())
    ]


def _rows(document: QTextDocument, table: QTextTable, height: float, pixel: float, headed: bool) -> Iterator[Part]:
    cell, heads = table.cellAt(0, 0).format().toTableCellFormat(), table.format().headerRowCount()
    rows = [_row_lines(document, table, row) for row in range(table.rows())]
    between = [(above[-1].bottom + below[0].top - pixel) / 2 for above, below in pairwise(rows)]
    top = rows[0][0].top - (cell.topPadding() + 1) * pixel  # Qt says where the frame is, but not that of a table
    edges = [top, *between, rows[-1][-1].bottom + cell.bottomPadding() * pixel]
    head = Strip(edges[0], edges[heads]) if heads and edges[heads] - edges[0] < height / 3 else None
    for row, lines in enumerate(rows):
        top, bottom = edges[row], edges[row + 1] + pixel
        together = headed if row == 0 else row <= heads
        above = head if row >= heads else None
        if bottom - top <= height - (head.bottom - head.top if head else 0):
            yield Part(top, bottom, together, head=above)
            continue
        ends = [top, *((one.bottom + other.top) / 2 for one, other in pairwise(lines)), bottom]
        for nth, (start, end) in enumerate(pairwise(ends)):
            yield Part(start, end, together and nth == 0, head=above)


def _row_lines(document: QTextDocument, table: QTextTable, row: int) -> list[Strip]:
    """Lines of all cells of a row, from the top; those beside each other as one."""
    blocks = (table.cellAt(row, column).firstCursorPosition().block() for column in range(table.columns()))
    merged: list[Strip] = []
    for line in sorted(line for block in blocks for line in _lines(document, block)):
        if merged and line.top < merged[-1].bottom:
            merged[-1] = Strip(merged[-1].top, max(merged[-1].bottom, line.bottom))
        else:
            merged.append(line)
    return merged
