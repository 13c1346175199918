"""A table whose cells wrap; it scrolls sideways where its words alone are wider than the column of text."""

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

from desktop.text import Block, Span, Table
from desktop.views.conversation.columns import share
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
        self._least: list[int] = []  # pixels of each column: its widest word, up to a limit
        self._natural: list[int] = []  # pixels of each column where none of its cells wraps

    def _write_from(self, first: int, blocks: list[Block]) -> None:
        if first == len(blocks) == len(self._blocks):
            return
        self._blocks = blocks
        self.document().clear()
        table = blocks[0]
        if isinstance(table, Table):
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
                cell = grid.cellAt(row, column)
                cell.setFormat(line)
                inside = cell.firstCursorPosition()
                place = QTextBlockFormat()
                if table.aligns[column]:
                    place.setAlignment(_ALIGNMENTS[table.aligns[column]] | Qt.AlignmentFlag.AlignAbsolute)
                inside.setBlockFormat(place)
                self._write_cell(inside, spans, plain, header=row == 0)
        cursor.endEditBlock()
        return grid

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
            has_maths = any(span.math for row in table.rows for span in row[column])  # which cannot be broken
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
