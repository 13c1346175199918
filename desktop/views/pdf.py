"""A page for paper as a PDF."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from PySide6.QtCore import QBuffer, QMarginsF, QObject, QPointF, QRectF, Qt
from PySide6.QtGui import (
    QAbstractTextDocumentLayout,
    QColor,
    QFontMetricsF,
    QGuiApplication,
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
    QTextDocumentFragment,
    QTextFormat,
    QTextListFormat,
    QTextOption,
)
from PySide6.QtSvg import QSvgRenderer

from desktop.store.transfer import Paper, PaperFormula
from desktop.text import TASKS, Drawing
from desktop.views.conversation.formulas import FORMULA, OBJECT, FormulaObject, formula_format
from desktop.views.conversation.maths import painted
from desktop.views.paper import Part, Sheet, cut, fit_tables, measure
from desktop.views.tokens import LIGHT
from runtime import UserFacingError, replaceable, write_whole

_MARGIN = 18.0  # millimetres
_DOTS = 1200  # an inch, of the writer; text is laid out in points

_LAID_OUT, _PAINTED = 0.4, 0.8  # shares of the time of a PDF: behind these its pieces are set, and its lines measured
_MEASURED = 20  # parts of a sheet at a time

_POINTS = 10.5  # of text on paper, whatever size it has on the screen

# Qt knows neither variables nor media of style sheets: all that a page says for browsers is lost on it. Code has the
# colours of the light window, as paper is light.
_SHEET = (
    """
h1 { font-size: 20pt; margin-top: 0; margin-bottom: 2px; }
h2 { font-size: 10pt; color: #6e6e73; margin-top: 20px; margin-bottom: 4px; }
.assistant h1 { font-size: 15.75pt; } .assistant h2 { font-size: 13.5pt; } .assistant h3 { font-size: 11.75pt; }
.assistant h4, .assistant h5, .assistant h6 { font-size: 10.5pt; }
.assistant h1, .assistant h2, .assistant h3, .assistant h4, .assistant h5, .assistant h6 {
  font-weight: bold; color: #000000; margin-top: 16px; margin-bottom: 6px; }
.next { page-break-before: always; }
pre, .user, .system { white-space: pre-wrap; }
pre, .user { background-color: #f2f2f5; }
.when, .system, blockquote { color: #6e6e73; }
blockquote { margin-left: 20px; margin-right: 0; }
th, td { padding: 3px 8px; }
th { text-align: left; }
"""
    + "".join(
        f".{kind} {{ color: {getattr(LIGHT, 'code_' + kind)}; }}"
        for kind in ("keyword", "name", "string", "number", "comment")
    )
    + ".comment { font-style: italic; }"
)

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


def pdf_steps(page: Paper, drawings: Drawings, file: Path) -> Iterator[float]:
    """`write_pdf` in short steps, for a window that goes on meanwhile: each tells the share that is behind it. The file
    appears after the last step."""
    pages = QBuffer()
    pages.open(QBuffer.OpenModeFlag.WriteOnly)
    writer = QPdfWriter(pages)
    writer.setResolution(_DOTS)
    writer.setPageSize(QPageSize(QPageSize.PageSizeId.A4))
    margins = QMarginsF(_MARGIN, _MARGIN, _MARGIN, _MARGIN)
    writer.setPageMargins(margins, QPageLayout.Unit.Millimeter)
    document = empty_document(drawings, writer)
    for share in lay_out(document, page, drawings, writer):
        yield _LAID_OUT * share
    parts: list[Part] = []
    for part in measure(document, writer.height(), _pixel(writer)):
        parts.append(part)
        if len(parts) % _MEASURED == 0:
            share = min(1.0, len(parts) / document.blockCount())  # nobody knows how many lines there are
            yield _LAID_OUT + (_PAINTED - _LAID_OUT) * share
    sheets = cut(parts, writer.height())
    painter = QPainter(writer)
    try:
        for number, sheet in enumerate(sheets):
            yield _PAINTED + (1 - _PAINTED) * number / len(sheets)
            if number:
                writer.newPage()
            _paint(document, sheet, painter)
    finally:
        painter.end()  # before the writer, and it before the pages, which both write to until they go
        del painter, writer
    yield 1.0
    try:
        write_whole(file, [bytes(pages.data().data())])
    except OSError as error:
        raise _unwritable(file, error) from None


def _paint(document: QTextDocument, sheet: Sheet, painter: QPainter) -> None:
    """One sheet from its top."""
    top = 0.0
    for strip in (sheet.head, sheet.piece):
        if strip is None:
            continue
        view = QRectF(0, strip.top, document.textWidth(), strip.bottom - strip.top)
        context = QAbstractTextDocumentLayout.PaintContext()
        context.clip = view
        context.palette.setColor(QPalette.ColorRole.Text, Qt.GlobalColor.black)
        painter.save()
        painter.translate(QPointF(0, top - strip.top))
        painter.setClipRect(view)
        document.documentLayout().draw(painter, context)
        painter.restore()
        top += view.height()


def _pixel(paper: QPagedPaintDevice) -> float:
    """Dots of `paper` that Qt takes for a pixel of style sheets and tables: those of the screen."""
    return paper.logicalDpiX() / QGuiApplication.primaryScreen().logicalDotsPerInchX()


def _unwritable(file: Path, error: OSError) -> PdfError:
    return PdfError(f"{file} cannot be written ({error.strerror}): choose another place.")


def lay_out(document: QTextDocument, page: Paper, drawings: Drawings, paper: QPagedPaintDevice) -> Iterator[float]:
    """Write `page` into an empty document for `paper`, in steps, each of which tells the share that is behind it: no
    line is wider, and what was typed keeps its lines and spaces."""
    for number, piece in enumerate(page.pieces):
        yield number / len(page.pieces)
        _append(document, piece, page.formulas, drawings, paper)


def empty_document(drawings: Drawings, paper: QPagedPaintDevice, *, laid_out: bool = True) -> QTextDocument:
    """A document as wide as `paper`; `laid_out`: what is written into it is laid out at once."""
    document = QTextDocument()
    document.setLayoutEnabled(laid_out)
    document.documentLayout().setPaintDevice(paper)
    wrapping = QTextOption()
    wrapping.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
    document.setDefaultTextOption(wrapping)
    document.setDocumentMargin(0)
    font = document.defaultFont()
    font.setPointSizeF(_POINTS)
    document.setDefaultFont(font)
    document.setDefaultStyleSheet(_SHEET)
    document.documentLayout().registerHandler(FORMULA, FormulaObject(document, _Drawn(drawings, document)))
    document.setTextWidth(paper.width())
    return document


def _append(
    document: QTextDocument,
    html: str,
    formulas: tuple[PaperFormula, ...],
    drawings: Drawings,
    paper: QPagedPaintDevice,
) -> None:
    """Write a piece of a page at the end of `document`, set as it stands on `paper`."""
    piece = empty_document(drawings, paper, laid_out=False)
    piece.setHtml(html)
    _size_headings(piece)
    _indent(piece, _pixel(paper))
    _hang_boxes(piece, paper)
    _write_formulas(piece, formulas, drawings, paper)
    fit_tables(piece, paper, _pixel(paper), _Drawn(drawings, piece))
    cursor, first = QTextCursor(document), piece.begin()
    cursor.beginEditBlock()  # so that it is laid out once
    cursor.movePosition(QTextCursor.MoveOperation.End)
    if not document.isEmpty():
        cursor.insertBlock()
    start = cursor.position()
    cursor.insertFragment(QTextDocumentFragment(piece))
    cursor.setPosition(start)
    cursor.setBlockFormat(first.blockFormat())  # which the block that was there kept from the piece's first
    cursor.setBlockCharFormat(first.charFormat())
    cursor.endEditBlock()


def _size_headings(document: QTextDocument) -> None:
    """Headings as large as the sheet says: Qt has sizes of its own for them, which go before."""
    cursor = QTextCursor(document)
    cursor.beginEditBlock()
    for block in [block for block in _blocks(document) if block.blockFormat().headingLevel()]:
        pieces = [entry.fragment() for entry in block.begin()]  # type: ignore[attr-defined]
        for start, length, shape in [(piece.position(), piece.length(), piece.charFormat()) for piece in pieces]:
            cursor.setPosition(start)
            cursor.setPosition(start + length, QTextCursor.MoveMode.KeepAnchor)
            shape.clearProperty(QTextFormat.Property.FontSizeAdjustment)
            cursor.setCharFormat(shape)
        whole = block.charFormat()
        whole.clearProperty(QTextFormat.Property.FontSizeAdjustment)
        QTextCursor(block).setBlockCharFormat(whole)
    cursor.endEditBlock()


def _indent(document: QTextDocument, pixel: float) -> None:
    """Quotes as far from the margin as the sheet says, which of blocks, other than of tables, Qt counts in dots."""
    cursor = QTextCursor(document)
    cursor.beginEditBlock()
    for block in [block for block in _blocks(document) if block.blockFormat().leftMargin()]:
        layout = block.blockFormat()
        layout.setLeftMargin(layout.leftMargin() * pixel)
        QTextCursor(block).setBlockFormat(layout)
    cursor.endEditBlock()


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
