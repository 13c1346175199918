"""A table that scrolls sideways where it is wider than the column of text."""

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
    QTextTableCellFormat,
    QTextTableFormat,
    QWheelEvent,
)
from PySide6.QtWidgets import QTextEdit, QWidget

from desktop.text import Block, Span, Table
from desktop.views.conversation.prose import Prose
from desktop.views.conversation.style import Style
from desktop.views.conversation.writer import write_span

_ALIGNMENTS = {
    "left": Qt.AlignmentFlag.AlignLeft,
    "center": Qt.AlignmentFlag.AlignHCenter,
    "right": Qt.AlignmentFlag.AlignRight,
}
_WIDEST_COLUMN = 34  # characters before a cell wraps


class TableView(Prose):
    """One table, header in bold, hairlines between rows."""

    def __init__(self, parent: QWidget, style: Style) -> None:
        super().__init__(parent, style)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self._natural = 0.0  # width where no cell wraps

    def _write_from(self, first: int, blocks: list[Block]) -> None:
        if first == len(blocks) == len(self._blocks):
            return
        self._blocks = blocks
        self.document().clear()
        table = blocks[0]
        if isinstance(table, Table):
            self._write_table(table)
        self.document().setTextWidth(-1)
        self._natural = self.document().idealWidth()
        self.setLineWrapColumnOrWidth(round(self._natural))
        self.keep_start()
        self._request(blocks)

    def _write_table(self, table: Table) -> None:
        style = self._style
        layout = QTextTableFormat()
        layout.setBorder(0)
        layout.setBorderCollapse(True)
        layout.setCellPadding(style.gap(1.4))
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

    def _write_cell(self, cursor: QTextCursor, spans: Sequence[Span], plain: QTextCharFormat, *, header: bool) -> None:
        shape = QTextCharFormat(plain)
        if header:
            shape.setFontWeight(650)
        for span in spans:
            write_span(cursor, span, shape, self._style)

    def fit(self, width: int) -> int:
        """Take a width in pixels; the height that the table then needs."""
        table = self._blocks[0] if self._blocks else None
        columns = len(table.aligns) if isinstance(table, Table) else 1
        widest = QFontMetricsF(self._style.font).averageCharWidth() * _WIDEST_COLUMN * columns
        inner = max(width, round(min(self._natural, widest)))
        self.setLineWrapColumnOrWidth(inner)
        bar = self.horizontalScrollBar().sizeHint().height() if inner > width else 0
        height = ceil(self.document().size().height()) + bar
        self.resize(width, height)
        return height

    def wheelEvent(self, event: QWheelEvent) -> None:
        delta = event.angleDelta()
        if abs(delta.x()) > abs(delta.y()) and self.horizontalScrollBar().maximum():
            QTextEdit.wheelEvent(self, event)
        else:
            event.ignore()
