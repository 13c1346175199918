"""A page for paper as a PDF."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from PySide6.QtCore import QBuffer, QMarginsF, QObject, QRectF, QSizeF, Qt
from PySide6.QtGui import (
    QAbstractTextDocumentLayout,
    QColor,
    QFontMetricsF,
    QPagedPaintDevice,
    QPageLayout,
    QPageSize,
    QPainter,
    QPalette,
    QPdfWriter,
    QTextBlock,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFrame,
    QTextFrameFormat,
    QTextListFormat,
    QTextOption,
    QTextTable,
)
from PySide6.QtSvg import QSvgRenderer

from desktop.store.transfer import Paper, PaperFormula
from desktop.text import TASKS, Drawing
from desktop.views.conversation.formulas import FORMULA, OBJECT, FormulaObject, formula_format
from desktop.views.conversation.maths import painted
from runtime import UserFacingError, replaceable, write_whole

_MARGIN = 18.0  # millimetres
_DOTS = 1200  # an inch, of the writer; text is laid out in points

# Qt knows neither variables nor media of style sheets: all that a page says for browsers is lost on it.
_SHEET = """
pre, .user, .system { white-space: pre-wrap; }
pre, .user { background-color: #f2f2f5; }
.when, .system, blockquote { color: #6e6e73; }
th, td { padding: 3px 8px; }
"""


_ABOVE = 6.0  # a table, in pixels
_POINTS = 10.5  # of text on paper, whatever size it has on the screen
_LINES = QColor("#d9d9de")

Drawings = Mapping[tuple[str, bool], Drawing | None]
"""Of formulas, given by their LaTeX and whether it stands on a line of its own; None where it is none."""


class PdfError(UserFacingError):
    """The PDF cannot be written."""


def check_place(file: Path) -> None:
    """Raises PdfError where no file can be made, for whoever has much to do before it is written."""
    try:
        place = replaceable(file)
        if not place.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        if not os.access(place.parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise _unwritable(file, error) from None


def write_pdf(page: Paper, drawings: Drawings, file: Path) -> None:
    """Write `page` on A4 sheets. Whole or not at all; raises PdfError where the disk fails."""
    for _ in pdf_steps(page, drawings, file):
        pass


def pdf_steps(page: Paper, drawings: Drawings, file: Path) -> Iterator[None]:
    """`write_pdf` sheet by sheet, for a window that goes on meanwhile. The file appears after the last step."""
    pages = QBuffer()
    pages.open(QBuffer.OpenModeFlag.WriteOnly)
    writer = QPdfWriter(pages)
    writer.setResolution(_DOTS)
    writer.setPageSize(QPageSize(QPageSize.PageSizeId.A4))
    margins = QMarginsF(_MARGIN, _MARGIN, _MARGIN, _MARGIN)
    writer.setPageMargins(margins, QPageLayout.Unit.Millimeter)
    document = lay_out(page, drawings, writer)
    painter = QPainter(writer)
    try:
        for sheet in range(document.pageCount()):
            yield
            if sheet:
                writer.newPage()
            _paint(document, sheet, painter)
    finally:
        painter.end()  # before the writer, and it before the pages, which both write to until they go
        del painter, writer
    yield
    try:
        write_whole(file, [bytes(pages.data().data())])
    except OSError as error:
        raise _unwritable(file, error) from None


def _paint(document: QTextDocument, sheet: int, painter: QPainter) -> None:
    """One sheet, counted from 0, as QTextDocument.print_ does."""
    size = document.pageSize()
    view = QRectF(0, sheet * size.height(), size.width(), size.height())
    context = QAbstractTextDocumentLayout.PaintContext()
    context.clip = view
    context.palette.setColor(QPalette.ColorRole.Text, Qt.GlobalColor.black)
    painter.save()
    painter.translate(-view.topLeft())
    painter.setClipRect(view)
    document.documentLayout().draw(painter, context)
    painter.restore()


def _unwritable(file: Path, error: OSError) -> PdfError:
    return PdfError(f"{file} cannot be written ({error.strerror}): choose another place.")


def lay_out(page: Paper, drawings: Drawings, paper: QPagedPaintDevice) -> QTextDocument:
    """`page` on sheets of `paper`: no line is wider than they are, and what was typed keeps its lines and spaces."""
    document = QTextDocument()
    document.documentLayout().setPaintDevice(paper)
    wrapping = QTextOption()
    wrapping.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
    document.setDefaultTextOption(wrapping)
    document.setDocumentMargin(0)
    font = document.defaultFont()
    font.setPointSizeF(_POINTS)
    document.setDefaultFont(font)
    document.setDefaultStyleSheet(_SHEET)
    document.setHtml(page.html)
    document.documentLayout().registerHandler(FORMULA, FormulaObject(document, _Drawn(drawings, document)))
    _hang_boxes(document, paper)
    _set_tables(document)
    _write_formulas(document, page.formulas, drawings, paper)
    document.setPageSize(QSizeF(paper.width(), paper.height()))
    return document


def _hang_boxes(document: QTextDocument, paper: QPagedPaintDevice) -> None:
    """The box of a task in the place of its bullet, which Qt's style sheets cannot take away."""
    for block in list(_blocks(document)):
        items, box = block.textList(), block.text()[:2]
        if items is None or items.format().style() == QTextListFormat.Style.ListDecimal or box.rstrip() not in TASKS:
            continue
        items.remove(block)
        layout = block.blockFormat()
        layout.setTextIndent(-QFontMetricsF(block.charFormat().font(), paper).horizontalAdvance(box))
        QTextCursor(block).setBlockFormat(layout)


def _blocks(document: QTextDocument) -> Iterator[QTextBlock]:
    block = document.begin()
    while block.isValid():
        yield block
        block = block.next()


def _set_tables(document: QTextDocument) -> None:
    """Lines around cells; tables that are read from the right begin there, whatever way the words of a cell run."""
    for table in (frame for frame in _frames(document.rootFrame()) if isinstance(frame, QTextTable)):
        layout = table.format()
        layout.setBorder(1)
        layout.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
        layout.setBorderBrush(_LINES)
        layout.setBorderCollapse(True)
        layout.setTopMargin(_ABOVE)
        mirrored = layout.layoutDirection() == Qt.LayoutDirection.RightToLeft
        if mirrored:
            layout.setAlignment(Qt.AlignmentFlag.AlignRight)
        table.setFormat(layout)
        for place in range(table.rows() * table.columns()) if mirrored else ():
            cursor = table.cellAt(*divmod(place, table.columns())).firstCursorPosition()
            cell = cursor.blockFormat()
            cell.setAlignment(cell.alignment() | Qt.AlignmentFlag.AlignAbsolute)
            cell.setLayoutDirection(Qt.LayoutDirection.LayoutDirectionAuto)
            cursor.setBlockFormat(cell)


def _frames(frame: QTextFrame) -> Iterator[QTextFrame]:
    for inner in frame.childFrames():
        yield inner
        yield from _frames(inner)


class _Drawn(QObject):
    """Drawings as a document asks for them."""

    def __init__(self, drawings: Drawings, parent: QObject) -> None:
        super().__init__(parent)
        self._drawings = drawings

    def find(self, source: str, display: bool) -> Drawing | None:
        return self._drawings.get((source, display))

    def renderer(self, source: str, display: bool, colour: QColor) -> QSvgRenderer | None:
        drawing = self.find(source, display)
        return painted(drawing, colour) if drawing else None


def _write_formulas(
    document: QTextDocument, formulas: tuple[PaperFormula, ...], drawings: Drawings, paper: QPagedPaintDevice
) -> None:
    """Formulas in the place of their pictures: drawings, or their source."""
    cursor, left = QTextCursor(document), QTextBlockFormat()
    left.setAlignment(Qt.AlignmentFlag.AlignLeft)
    cursor.beginEditBlock()
    for position in reversed([found for block in _blocks(document) for found in _pictures(block)]):
        cursor.setPosition(position)
        cursor.setPosition(position + 1, QTextCursor.MoveMode.KeepAnchor)
        formula = formulas[int(cursor.charFormat().toImageFormat().name().removeprefix("formula:"))]
        around = QTextCharFormat()
        around.setFont(cursor.charFormat().font())
        around.setForeground(cursor.charFormat().foreground())
        drawing = drawings.get((formula.source, formula.display))
        if drawing is None:
            cursor.mergeBlockFormat(left)
            cursor.insertText(formula.written.replace("\n", "\u2028"), around)
        else:
            cursor.insertText(OBJECT, formula_format(formula.source, formula.display, drawing, around, paper))
    cursor.endEditBlock()


def _pictures(block: QTextBlock) -> Iterator[int]:
    """Positions of the pictures of a block, in their order; several of one name stand in one fragment."""
    for entry in block.begin():  # type: ignore[attr-defined]
        fragment = entry.fragment()
        if fragment.charFormat().isImageFormat():
            yield from range(fragment.position(), fragment.position() + fragment.length())
