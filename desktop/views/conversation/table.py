"""A table whose cells wrap; it scrolls sideways where its words alone are wider than the column of text.

One that is read from the right has its first column there. No layout of Qt does so: in its document, columns are in the
order in which they are seen, and what reads them turns them round.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from PySide6.QtCore import Qt
from PySide6.QtGui import (
    QFontMetricsF,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextFrameFormat,
    QTextLength,
    QTextOption,
    QTextTable,
    QTextTableCellFormat,
    QTextTableFormat,
    QWheelEvent,
)
from PySide6.QtWidgets import QTextEdit, QWidget

from desktop.text import Block, Span, Table, is_mirrored
from desktop.views.conversation.columns import share
from desktop.views.conversation.copying import fragment_lines
from desktop.views.conversation.prose import Prose
from desktop.views.conversation.style import Style
from desktop.views.conversation.writer import write_span

_ALIGNMENTS = {
    "left": Qt.AlignmentFlag.AlignLeft,
    "center": Qt.AlignmentFlag.AlignHCenter,
    "right": Qt.AlignmentFlag.AlignRight,
}
_WIDEST_WORD = 20  # characters; longer ones may be broken
_WIDEST_COLUMN = 34  # characters before a cell wraps in a table that scrolls
_PADDING = 1.4  # units of the style
_UNBOUNDED = 1e6  # pixels


class TableView(Prose):
    """One table, header in bold, hairlines between rows."""

    def __init__(self, parent: QWidget, style: Style) -> None:
        super().__init__(parent, style)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self._grid: QTextTable | None = None
        self._mirrored = False
        self.horizontalScrollBar().rangeChanged.connect(self._show_first)
        self._least: list[int] = []  # pixels of each column: its widest word, up to a limit
        self._natural: list[int] = []  # pixels of each column where none of its cells wraps

    def _write_from(self, first: int, blocks: list[Block]) -> None:
        if first == len(blocks) == len(self._blocks):
            return
        self._blocks = blocks
        self.document().clear()
        table = blocks[0]
        if isinstance(table, Table):
            self._mirrored = is_mirrored(table)
            self._grid = self._write_table(table)
            self._measure(table, self._grid)
        self.keep_start()
        self._request(blocks)

    def _write_table(self, table: Table) -> QTextTable:
        style = self._style
        layout = QTextTableFormat()
        layout.setBorder(0)
        layout.setBorderCollapse(True)
        layout.setCellPadding(style.gap(_PADDING))
        layout.setCellSpacing(0)
        layout.setMargin(0)
        if self._mirrored:
            layout.setAlignment(Qt.AlignmentFlag.AlignRight)
        layout.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_None)
        cursor = QTextCursor(self.document())
        cursor.beginEditBlock()
        grid = cursor.insertTable(len(table.rows), len(table.aligns), layout)
        line = QTextTableCellFormat()
        line.setBottomBorder(1)
        line.setBottomBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
        line.setBottomBorderBrush(style.line)
        plain = QTextCharFormat()
        plain.setFont(style.font)
        plain.setForeground(style.text)
        for row, cells in enumerate(table.rows):
            for column, spans in enumerate(cells):
                cell = grid.cellAt(row, self._seen(column, grid))
                cell.setFormat(line)
                inside = cell.firstCursorPosition()
                place = QTextBlockFormat()
                side = table.aligns[column] or ("right" if self._mirrored else "")
                if side:
                    place.setAlignment(_ALIGNMENTS[side] | Qt.AlignmentFlag.AlignAbsolute)
                inside.setBlockFormat(place)
                self._write_cell(inside, spans, plain, header=row == 0)
        cursor.endEditBlock()
        return grid

    def _seen(self, column: int, grid: QTextTable) -> int:
        """Where a column of the table is seen, counted from the left, and the other way round."""
        return grid.columns() - 1 - column if self._mirrored else column

    def _measure(self, table: Table, grid: QTextTable) -> None:
        """Find what each column needs: laid out without bounds, and as narrow as its words and formulas allow."""
        document = self.document()
        document.setTextWidth(_UNBOUNDED)  # formulas are made smaller where the whole document is narrow
        pad = 2 * self._style.gap(_PADDING)
        self._natural = [pad + width for width in self._widest_lines(grid)]
        usual = document.defaultTextOption()
        whole_words = QTextOption(usual)
        whole_words.setWrapMode(QTextOption.WrapMode.WordWrap)
        document.setDefaultTextOption(whole_words)
        self._constrain(grid, [1] * grid.columns())
        limit = ceil(self._letters(_WIDEST_WORD))
        self._least = []
        for column, word in enumerate(self._widest_lines(grid)):
            cells = (row[self._seen(column, grid)] for row in table.rows)
            has_maths = any(span.math for cell in cells for span in cell)  # which cannot be broken
            self._least.append(pad + (word if has_maths else min(word, limit)))
        document.setDefaultTextOption(usual)

    @staticmethod
    def _widest_lines(grid: QTextTable) -> list[int]:
        """Pixels of the widest line in each column."""
        widest = [0.0] * grid.columns()
        for row in range(grid.rows()):
            for column in range(grid.columns()):
                cell = grid.cellAt(row, column).firstCursorPosition().block().layout()
                lines = (cell.lineAt(line).naturalTextWidth() for line in range(cell.lineCount()))
                widest[column] = max(widest[column], *lines)
        return [ceil(width) for width in widest]

    def _constrain(self, grid: QTextTable, widths: Sequence[int]) -> None:
        layout = grid.format()
        layout.setColumnWidthConstraints([QTextLength(QTextLength.Type.FixedLength, width) for width in widths])
        grid.setFormat(layout)

    def _letters(self, count: int) -> float:
        return QFontMetricsF(self._style.font).averageCharWidth() * count

    def _write_cell(self, cursor: QTextCursor, spans: Sequence[Span], plain: QTextCharFormat, *, header: bool) -> None:
        shape = QTextCharFormat(plain)
        if header:
            shape.setFontWeight(650)
        for span in spans:
            write_span(cursor, span, shape, self._style)

    def fit(self, width: int) -> int:
        """Take a width in pixels; the height that the table then needs."""
        widths = self._widths(width)
        if self._grid is not None:
            self._constrain(self._grid, widths)
        inner = max(width, sum(widths))
        self.setLineWrapColumnOrWidth(inner)
        bar = self.horizontalScrollBar().sizeHint().height() if inner > width else 0
        height = ceil(self.document().size().height()) + bar
        self.resize(width, height)
        return height

    def _show_first(self, _least: int, most: int) -> None:
        """The first column, where the bar begins at the other end."""
        if self._mirrored:
            self.horizontalScrollBar().setValue(most)

    def go_to_start(self) -> None:
        if self._grid and self._mirrored:
            self.setTextCursor(self._grid.cellAt(0, self._seen(0, self._grid)).firstCursorPosition())
        else:
            super().go_to_start()

    def selected_text(self) -> str:
        """The selection as plain text, cell after cell as they are read."""
        pieces = sorted(fragment_lines(self.textCursor()), key=lambda piece: self._read_at(piece[0]))
        return "\n".join(text for _, text in pieces)

    def in_order(self, places: Sequence[QTextCursor]) -> list[QTextCursor]:
        """Places in the table as they are read."""
        return sorted(places, key=lambda place: self._read_at(place.selectionStart()))

    def _read_at(self, position: int) -> tuple[int, int, int]:
        cell = self._grid.cellAt(position) if self._grid else None
        if self._grid is None or cell is None or not cell.isValid():  # beside the table
            return (self._grid.rows() if self._grid and position > self._grid.lastPosition() else -1, 0, position)
        return cell.row(), self._seen(cell.column(), self._grid), position

    def _widths(self, room: int) -> list[int]:
        """Pixels of each column."""
        if sum(self._least) <= room:
            return share(self._least, self._natural, room)
        wide = ceil(self._letters(_WIDEST_COLUMN))
        return [max(least, min(natural, wide)) for least, natural in zip(self._least, self._natural, strict=True)]

    def wheelEvent(self, event: QWheelEvent) -> None:
        delta = event.angleDelta()
        if abs(delta.x()) > abs(delta.y()) and self.horizontalScrollBar().maximum():
            QTextEdit.wheelEvent(self, event)
        else:
            event.ignore()
