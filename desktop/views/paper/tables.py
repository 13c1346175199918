"""Tables on paper: no word of a cell is broken and nothing is lost at the margin, however many columns there are.

A table that is too wide is set in smaller type; one that is still too wide goes on below itself, each piece with its
first column again. Lengths are in dots of the paper.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, floor

from PySide6.QtCore import Qt
from PySide6.QtGui import (
    QColor,
    QPagedPaintDevice,
    QTextBlock,
    QTextCursor,
    QTextDocument,
    QTextFragment,
    QTextFrame,
    QTextFrameFormat,
    QTextLength,
    QTextOption,
    QTextTable,
)

from desktop.views.conversation.cells import Need
from desktop.views.conversation.columns import share
from desktop.views.conversation.formulas import ASCENT, FORMULA, SCALE, Drawn, FormulaObject

_ABOVE = 6.0  # a table, in pixels
_PADDING, _TIGHT = 8.0, 4.0  # pixels at the sides of a cell; in smaller type
_SIZES = (1.0, 0.9, 0.8, 0.7)  # of the type
_SPLIT = 0.8  # size of the type in a table that goes on below itself
_WIDEST_FIRST = 0.4  # of the room, for the column that each piece has
_UNBOUNDED = 1e7
_LINES = QColor("#d9d9de")


def fit_tables(document: QTextDocument, paper: QPagedPaintDevice, pixel: float, drawn: Drawn) -> None:
    """Set all tables of a document; `pixel`: how many dots it is."""
    whole = QTextCursor(document)
    whole.beginEditBlock()
    for table in list(_tables(document.rootFrame())):
        _draw_lines(table)
        _fit(table, document, paper, pixel, drawn)
    whole.endEditBlock()


def _tables(frame: QTextFrame) -> Iterator[QTextTable]:
    for inner in frame.childFrames():
        if isinstance(inner, QTextTable):
            yield inner
        yield from _tables(inner)


def _draw_lines(table: QTextTable) -> None:
    """Lines around cells; tables that are read from the right begin there, whatever way the words of a cell run."""
    layout = table.format()
    layout.setBorder(1)
    layout.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
    layout.setBorderBrush(_LINES)
    layout.setBorderCollapse(True)
    layout.setTopMargin(_ABOVE)
    if _mirrored(table):
        layout.setAlignment(Qt.AlignmentFlag.AlignRight)
    table.setFormat(layout)
    for block in _cells(table) if _mirrored(table) else ():
        shape = block.blockFormat()
        shape.setAlignment(shape.alignment() | Qt.AlignmentFlag.AlignAbsolute)
        shape.setLayoutDirection(Qt.LayoutDirection.LayoutDirectionAuto)
        QTextCursor(block).setBlockFormat(shape)


def _mirrored(table: QTextTable) -> bool:
    return table.format().layoutDirection() == Qt.LayoutDirection.RightToLeft


def _cells(table: QTextTable) -> list[QTextBlock]:
    """What stands in the cells, row after row; no cell of Markdown has more than a block."""
    places = (divmod(place, table.columns()) for place in range(table.rows() * table.columns()))
    return [table.cellAt(*place).firstCursorPosition().block() for place in places]


def _fit(table: QTextTable, document: QTextDocument, paper: QPagedPaintDevice, pixel: float, drawn: Drawn) -> None:
    needs = _needs(table, document, paper, drawn)
    beside = (table.format().leftMargin() + table.format().rightMargin()) * pixel  # of lists and quotes around it
    room = floor(paper.width() - beside)
    for size in _SIZES:
        padding = _PADDING if size == 1 else _TIGHT
        columns = [_scaled(need, size, padding * pixel) for need in needs]
        if sum(column.least for column in columns) <= room:
            _set(table, columns, size, padding, room, beside)
            return
    columns = [_scaled(need, _SPLIT, _TIGHT * pixel) for need in needs]
    groups = _groups([column.least for column in columns], room, last_first=_mirrored(table))
    for piece, group in zip(_split(table, groups), groups, strict=True):
        _set(piece, [columns[column] for column in group], _SPLIT, _TIGHT, room, beside)


def _needs(table: QTextTable, document: QTextDocument, paper: QPagedPaintDevice, drawn: Drawn) -> list[Need]:
    """What each column needs: its cells laid out below each other, without bounds."""
    scratch = QTextDocument()
    scratch.documentLayout().setPaintDevice(paper)
    scratch.setDefaultFont(document.defaultFont())
    words = QTextOption()
    words.setWrapMode(QTextOption.WrapMode.WordWrap)
    scratch.setDefaultTextOption(words)
    formula = FormulaObject(scratch, drawn)
    scratch.documentLayout().registerHandler(FORMULA, formula)
    scratch.setTextWidth(_UNBOUNDED)
    cursor = QTextCursor(scratch)
    cells = _cells(table)
    cursor.beginEditBlock()
    for cell in cells:
        _copy(cell, cursor)
        cursor.insertBlock()
    cursor.endEditBlock()
    scratch.size()  # lays all out
    needs: list[Need] = []
    made = scratch.begin()
    for cell in cells:
        shapes = [piece.charFormat() for piece in _fragments(cell)]
        drawings = [shape for shape in shapes if shape.objectType() == FORMULA]
        widths = [formula.intrinsicSize(scratch, 0, shape).width() for shape in drawings]  # nothing, to Qt
        layout = made.layout()
        needs.append(Need(ceil(max(layout.minimumWidth(), *widths, 0)), ceil(layout.maximumWidth() + sum(widths))))
        made = made.next()
    columns = (needs[column :: table.columns()] for column in range(table.columns()))
    return [Need(max(need.least for need in column), max(need.natural for need in column)) for column in columns]


def _scaled(need: Need, size: float, padding: float) -> Need:
    """With the sides of a cell, in type of another size; the rest is for lines and what rounding takes."""
    more = 2.5 * padding
    return Need(ceil(need.least * size * 1.01 + more), ceil(need.natural * size * 1.01 + more))


def _groups(least: Sequence[int], room: int, *, last_first: bool) -> list[list[int]]:
    """Columns of each piece as they are seen, all with the one that is read first."""
    key, *others = range(len(least))[::-1] if last_first else range(len(least))
    first = min(least[key], room * _WIDEST_FIRST)
    groups: list[list[int]] = []
    left = 0.0
    for column in others:
        wanted = min(least[column], room - first)
        if not groups or wanted > left:
            groups.append([key])
            left = room - first
        groups[-1].append(column)
        left -= wanted
    return [sorted(group) for group in groups] or [[key]]


def _split(table: QTextTable, groups: Sequence[Sequence[int]]) -> list[QTextTable]:
    """`table` as several below each other, one for each group of its columns."""
    pieces = [table]
    for group in groups[1:]:
        cursor = QTextCursor(table.document())
        cursor.setPosition(pieces[-1].lastPosition() + 1)
        layout = table.format()
        layout.setColumns(len(group))
        piece = cursor.insertTable(table.rows(), len(group), layout)
        for row in range(table.rows()):
            for place, column in enumerate(group):
                source, target = table.cellAt(row, column), piece.cellAt(row, place)
                target.setFormat(source.format())
                into = target.firstCursorPosition()
                into.setBlockFormat(source.firstCursorPosition().blockFormat())
                _copy(source.firstCursorPosition().block(), into)
        pieces.append(piece)
    for column in reversed(range(table.columns())):
        if column not in groups[0]:
            table.removeColumns(column, 1)
    return pieces


def _set(table: QTextTable, columns: Sequence[Need], size: float, padding: float, room: int, beside: float) -> None:
    """Give a table its widths, in shares of the page: what Qt takes for a length depends on the screen."""
    least = [min(column.least, room) for column in columns]
    widths = share(least, [max(column.natural, low) for column, low in zip(columns, least, strict=True)], room)
    whole = sum(widths)
    layout = table.format()
    layout.setWidth(
        QTextLength(QTextLength.Type.PercentageLength, min(100.0, 100 * (whole + beside) / (room + beside)))
    )
    layout.setColumnWidthConstraints(
        [QTextLength(QTextLength.Type.PercentageLength, 100 * width / whole) for width in widths]
    )
    table.setFormat(layout)
    if size == 1:
        return
    for place in range(table.rows() * table.columns()):
        cell = table.cellAt(*divmod(place, table.columns()))
        shape = cell.format().toTableCellFormat()
        shape.setLeftPadding(padding)
        shape.setRightPadding(padding)
        cell.setFormat(shape)
        _shrink(cell.firstCursorPosition().block(), size)


def _shrink(block: QTextBlock, size: float) -> None:
    """Set a block in smaller type, its formulas too."""
    cursor = QTextCursor(block)
    points = block.document().defaultFont().pointSizeF() * size
    whole = block.charFormat()
    whole.setFontPointSize(points)
    cursor.setBlockCharFormat(whole)
    pieces = [(piece.position(), piece.length(), piece.charFormat()) for piece in _fragments(block)]
    for start, length, shape in pieces:
        cursor.setPosition(start)
        cursor.setPosition(start + length, QTextCursor.MoveMode.KeepAnchor)
        if shape.objectType() == FORMULA:
            shape.setProperty(SCALE, shape.property(SCALE) * size)
            shape.setProperty(ASCENT, shape.property(ASCENT) * size)
            shape.setFontPointSize(shape.font().pointSizeF() * size)
        else:
            shape.setFontPointSize(points)
        cursor.setCharFormat(shape)


def _copy(block: QTextBlock, cursor: QTextCursor) -> None:
    for piece in _fragments(block):
        cursor.insertText(piece.text(), piece.charFormat())


def _fragments(block: QTextBlock) -> list[QTextFragment]:
    return [entry.fragment() for entry in block.begin()]  # type: ignore[attr-defined]
