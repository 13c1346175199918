"""A table whose cells wrap; it scrolls sideways where its words alone are wider than the column of text.

One that is read from the right has its first column there. No layout of Qt does so: in its document, columns are in the
order in which they are seen, and what reads them turns them round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

from PySide6.QtCore import Qt
from PySide6.QtGui import (
    QFontMetricsF,
    QTextBlockFormat,
    QTextCursor,
    QTextFrameFormat,
    QTextLength,
    QTextTable,
    QTextTableCellFormat,
    QTextTableFormat,
    QWheelEvent,
)
from PySide6.QtWidgets import QTextEdit, QWidget

from desktop.text import Block, Span, Table, is_mirrored
from desktop.views.conversation.cells import Need, measure, write_cell
from desktop.views.conversation.columns import share
from desktop.views.conversation.copying import fragment_lines
from desktop.views.conversation.prose import Prose
from desktop.views.conversation.style import Style

_ALIGNMENTS = {
    "left": Qt.AlignmentFlag.AlignLeft,
    "center": Qt.AlignmentFlag.AlignHCenter,
    "right": Qt.AlignmentFlag.AlignRight,
}
_ROWS = 16  # to a grid
_CELLS = 320  # to a grid, at most
_MEASURED = 0.15  # of what writing a cell takes
_WIDEST_COLUMN = 34  # characters before a cell wraps in a table that scrolls
_PADDING = 1.4  # units of the style


class TableView(Prose):
    """One table, header in bold, hairlines between rows.

    In its document it is grids of few rows below each other: Qt lays out all of a grid in which something changed, and
    a table that streams in changes at its end. What is to be written is written by `write_on`, all cells measured
    before: other widths of columns have all laid out again.
    """

    def __init__(self, parent: QWidget, style: Style) -> None:
        super().__init__(parent, style)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self._table: Table | None = None
        self._mirrored = False
        self._grids: list[QTextTable] = []
        self._needs: list[list[Need]] = []  # of each row's cells, from left to right, as far as they are measured
        self._columns: list[Need] = []  # of all of these, or none where they changed
        self._next = 0  # row to be written
        self._room = style.measure  # width of the last `fit`
        self._given: list[int] = []  # pixels of each column in all grids
        self.horizontalScrollBar().rangeChanged.connect(self._show_first)

    def _write_from(self, _first: int, blocks: list[Block]) -> None:
        (table,) = blocks
        if not isinstance(table, Table) or table is self._table:
            return
        mirrored = is_mirrored(table)
        same = _same_rows(self._table, table) if self._table is not None and mirrored == self._mirrored else 0
        if same == 0:
            self.document().clear()
            self._grids, self._given = [], []
        self._blocks, self._table, self._mirrored = blocks, table, mirrored
        self._next = min(self._next, same)
        if same < len(self._needs):
            self._columns = []
        del self._needs[same:]

    @property
    def lacks(self) -> bool:
        """Whether rows are still to be written."""
        return self._table is not None and self._next < len(self._table.rows)

    def write_on(self, room: float) -> float:
        """Write rows until `room`, in cells, is used up; what is left of it."""
        table = self._table
        if table is None or not self.lacks:
            return room
        columns = len(table.aligns)
        while room > 0 and (known := len(self._needs)) < len(table.rows):
            rows = range(known, min(known + _fitting(room, table), len(table.rows)))
            self._needs += self._measured(table, rows)
            self._columns = []
            room -= _MEASURED * columns * len(rows)
        if room > 0:
            self._take_widths()
            rows = range(self._next, min(self._next + _fitting(room, table), len(table.rows)))
            self._write_rows(table, rows)
            self._next = rows.stop
            room -= columns * len(rows)
        return room

    def refresh(self) -> None:
        """Write again the rows with formulas that are drawn by now."""
        stale, self._stale = self._stale, set()
        if not stale or self._table is None:
            return
        rows = enumerate(self._table.rows[: len(self._needs)])
        changed = [n for n, row in rows if any((span.text, False) in stale for cell in row for span in cell)]
        for row, needs in zip(changed, self._measured(self._table, changed), strict=True):
            self._needs[row] = needs
        self._columns = []
        self._write_rows(self._table, [row for row in changed if row < self._next])

    def _cells(self, table: Table, row: int) -> list[tuple[Span, ...]]:
        """Of a row, as they are seen from left to right."""
        return [table.rows[row][self._seen(column)] for column in range(len(table.aligns))]

    def _measured(self, table: Table, rows: Sequence[int]) -> list[list[Need]]:
        columns = len(table.aligns)
        needs = measure([(cell, row == 0) for row in rows for cell in self._cells(table, row)], self._style)
        return [needs[start : start + columns] for start in range(0, len(needs), columns)]

    def _write_rows(self, table: Table, rows: Sequence[int]) -> None:
        """Write rows in the place of what they were, or behind those that are there."""
        height = _height(table)
        whole = QTextCursor(self.document())
        whole.beginEditBlock()
        for row in rows:
            if row == height * len(self._grids):
                self._add_grid(table)
            grid = self._grids[row // height]
            if row % height == grid.rows():
                grid.appendRows(1)
                self._shape_row(grid, grid.rows() - 1, table)
            for column, spans in enumerate(self._cells(table, row)):
                cell = grid.cellAt(row % height, column)
                cursor = cell.firstCursorPosition()
                cursor.setPosition(cell.lastPosition(), QTextCursor.MoveMode.KeepAnchor)
                cursor.removeSelectedText()
                write_cell(cursor, spans, self._style, header=row == 0)
        whole.endEditBlock()
        self.keep_start()
        self._request([replace(table, rows=tuple(table.rows[row] for row in rows))])

    def _add_grid(self, table: Table) -> None:
        layout = QTextTableFormat()
        layout.setBorder(0)
        layout.setBorderCollapse(True)
        layout.setCellPadding(self._style.gap(_PADDING))
        layout.setCellSpacing(0)
        layout.setMargin(0)
        if self._mirrored:
            layout.setAlignment(Qt.AlignmentFlag.AlignRight)
        layout.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_None)
        layout.setColumnWidthConstraints(_fixed(self._given))
        end = QTextCursor(self.document())
        end.movePosition(QTextCursor.MoveOperation.End)
        grid = end.insertTable(1, len(table.aligns), layout)
        self._shape_row(grid, 0, table)
        self._grids.append(grid)

    def _shape_row(self, grid: QTextTable, row: int, table: Table) -> None:
        """Give the cells of an empty row their line below and their alignment."""
        line = QTextTableCellFormat()
        line.setBottomBorder(1)
        line.setBottomBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
        line.setBottomBorderBrush(self._style.line)
        for column in range(grid.columns()):
            cell = grid.cellAt(row, column)
            cell.setFormat(line)
            place = QTextBlockFormat()
            side = table.aligns[self._seen(column)] or ("right" if self._mirrored else "")
            if side:
                place.setAlignment(_ALIGNMENTS[side] | Qt.AlignmentFlag.AlignAbsolute)
            cell.firstCursorPosition().setBlockFormat(place)

    def _seen(self, column: int) -> int:
        """Where a column of the table is seen, counted from the left, and the other way round."""
        return len(self._table.aligns) - 1 - column if self._mirrored and self._table else column

    def _letters(self, count: int) -> float:
        return QFontMetricsF(self._style.font).averageCharWidth() * count

    def fit(self, width: int) -> int:
        """Take a width in pixels; the height that what is written of the table then needs."""
        self._room = width
        if self._table is not None and len(self._needs) == len(self._table.rows):
            self._take_widths()
        inner = self.lineWrapColumnOrWidth()
        bar = self.horizontalScrollBar().sizeHint().height() if inner > width else 0
        height = ceil(self.document().size().height()) + bar if self._grids else 0
        self.resize(width, height)
        return height

    def _take_widths(self) -> None:
        """Give the columns the widths that they need in the room that there is."""
        widths = self._widths(self._room)
        if widths != self._given:
            self._give(widths)
        inner = max(self._room, sum(widths))
        if inner != self.lineWrapColumnOrWidth():
            self.setLineWrapColumnOrWidth(inner)

    def _give(self, widths: list[int]) -> None:
        self._given = widths
        whole = QTextCursor(self.document())
        whole.beginEditBlock()
        for grid in self._grids:
            layout = grid.format()
            layout.setColumnWidthConstraints(_fixed(widths))
            grid.setFormat(layout)
        whole.endEditBlock()

    def _widths(self, room: int) -> list[int]:
        """Pixels of each column."""
        pad = 2 * self._style.gap(_PADDING)
        if not self._columns:
            columns = zip(*self._needs, strict=True)
            self._columns = [Need(*(max(each) for each in zip(*column, strict=True))) for column in columns]
        least, natural = ([pad + pixels for pixels in each] for each in zip(*self._columns, strict=True))
        if sum(least) <= room:
            return share(least, natural, room)
        wide = ceil(self._letters(_WIDEST_COLUMN))
        return [max(low, min(high, wide)) for low, high in zip(least, natural, strict=True)]

    def _show_first(self, _least: int, most: int) -> None:
        """The first column, where the bar begins at the other end."""
        if self._mirrored:
            self.horizontalScrollBar().setValue(most)

    def go_to_start(self) -> None:
        if self._grids and self._mirrored:
            self.setTextCursor(self._grids[0].cellAt(0, self._seen(0)).firstCursorPosition())
        else:
            super().go_to_start()

    def selected_text(self) -> str:
        """The selection as plain text, cell after cell as they are read."""
        pieces = [(self._read_at(position), text) for position, text in fragment_lines(self.textCursor())]
        inside = [(place, text) for place, text in pieces if place is not None]  # no lines between the grids
        return "\n".join(text for _, text in sorted(inside))

    def in_order(self, places: Sequence[QTextCursor]) -> list[QTextCursor]:
        """Places in the table as they are read."""
        return sorted(places, key=lambda place: self._read_at(place.selectionStart()) or ())

    def _read_at(self, position: int) -> tuple[int, int, int] | None:
        """Row and column of what is at a position, and this; None beside all cells."""
        height = _height(self._table) if self._table else _ROWS
        for nth, grid in enumerate(self._grids):
            if position <= grid.lastPosition():
                cell = grid.cellAt(position)
                return (height * nth + cell.row(), self._seen(cell.column()), position) if cell.isValid() else None
        return None

    def wheelEvent(self, event: QWheelEvent) -> None:
        delta = event.angleDelta()
        if abs(delta.x()) > abs(delta.y()) and self.horizontalScrollBar().maximum():
            QTextEdit.wheelEvent(self, event)
        else:
            event.ignore()


def _height(table: Table) -> int:
    """Rows to a grid."""
    return min(_ROWS, max(_CELLS // len(table.aligns), 1))


def _fitting(room: float, table: Table) -> int:
    """Rows for which there is `room` in cells, which may be without end: at least one, and about all at most."""
    return 1 + int(min(room / len(table.aligns), len(table.rows)))


def _same_rows(before: Table, table: Table) -> int:
    """How many of the first rows stay; none where the table is another, or lost some."""
    if before.aligns != table.aligns or len(before.rows) > len(table.rows):
        return 0
    pairs = zip(before.rows, table.rows, strict=False)
    return next((n for n, (old, new) in enumerate(pairs) if old != new), len(before.rows))


def _fixed(widths: Sequence[int]) -> list[QTextLength]:
    return [QTextLength(QTextLength.Type.FixedLength, width) for width in widths]
