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

from desktop.text import Block, Table, is_mirrored
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
_WIDEST_COLUMN = 34  # characters before a cell wraps in a table that scrolls
_PADDING = 1.4  # units of the style


class TableView(Prose):
    """One table, header in bold, hairlines between rows.

    In its document it is grids of few rows below each other: Qt lays out all of a grid in which something changed, and
    a table that streams in changes at its end.
    """

    def __init__(self, parent: QWidget, style: Style) -> None:
        super().__init__(parent, style)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self._table: Table | None = None
        self._mirrored = False
        self._grids: list[QTextTable] = []
        self._needs: list[list[Need]] = []  # of each row's cells, from left to right
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
            self._grids, self._needs, self._given = [], [], []
        self._blocks, self._table, self._mirrored = blocks, table, mirrored
        self._write_rows(table, range(same, len(table.rows)))
        self.keep_start()

    def refresh(self) -> None:
        """Write again the rows with formulas that are drawn by now."""
        stale, self._stale = self._stale, set()
        if self._table is not None:
            rows = enumerate(self._table.rows)
            changed = [n for n, row in rows if any((span.text, False) in stale for cell in row for span in cell)]
            self._write_rows(self._table, changed)

    def _write_rows(self, table: Table, rows: Sequence[int]) -> None:
        """Write rows in the place of what they were, or behind those that are there."""
        columns = len(table.aligns)
        seen = {row: [table.rows[row][self._seen(column)] for column in range(columns)] for row in rows}
        needs = measure([(cell, row == 0) for row, cells in seen.items() for cell in cells], self._style)
        whole = QTextCursor(self.document())
        whole.beginEditBlock()
        for nth, (row, cells) in enumerate(seen.items()):
            self._needs[row : row + 1] = [needs[nth * columns : (nth + 1) * columns]]
            if row == _ROWS * len(self._grids):
                self._add_grid(table)
            grid = self._grids[row // _ROWS]
            if row % _ROWS == grid.rows():
                grid.appendRows(1)
                self._shape_row(grid, grid.rows() - 1, table)
            for column, spans in enumerate(cells):
                cell = grid.cellAt(row % _ROWS, column)
                cursor = cell.firstCursorPosition()
                cursor.setPosition(cell.lastPosition(), QTextCursor.MoveMode.KeepAnchor)
                cursor.removeSelectedText()
                write_cell(cursor, spans, self._style, header=row == 0)
        whole.endEditBlock()
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
        """Take a width in pixels; the height that the table then needs."""
        widths = self._widths(width)
        if widths != self._given:
            self._give(widths)
        inner = max(width, sum(widths))
        if inner != self.lineWrapColumnOrWidth():
            self.setLineWrapColumnOrWidth(inner)
        bar = self.horizontalScrollBar().sizeHint().height() if inner > width else 0
        height = ceil(self.document().size().height()) + bar
        self.resize(width, height)
        return height

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
        columns = list(zip(*self._needs, strict=True))
        least = [pad + max(need.least for need in column) for column in columns]
        natural = [pad + max(need.natural for need in column) for column in columns]
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
        for nth, grid in enumerate(self._grids):
            if position <= grid.lastPosition():
                cell = grid.cellAt(position)
                return (_ROWS * nth + cell.row(), self._seen(cell.column()), position) if cell.isValid() else None
        return None

    def wheelEvent(self, event: QWheelEvent) -> None:
        delta = event.angleDelta()
        if abs(delta.x()) > abs(delta.y()) and self.horizontalScrollBar().maximum():
            QTextEdit.wheelEvent(self, event)
        else:
            event.ignore()


def _same_rows(before: Table, table: Table) -> int:
    """How many of the first rows stay; none where the table is another, or lost some."""
    if before.aligns != table.aligns or len(before.rows) > len(table.rows):
        return 0
    pairs = zip(before.rows, table.rows, strict=False)
    return next((n for n, (old, new) in enumerate(pairs) if old != new), len(before.rows))


def _fixed(widths: Sequence[int]) -> list[QTextLength]:
    return [QTextLength(QTextLength.Type.FixedLength, width) for width in widths]
