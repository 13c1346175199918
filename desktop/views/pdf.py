"""A page of HTML as a PDF."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from PySide6.QtCore import QBuffer, QMarginsF, QSizeF
from PySide6.QtGui import (
    QFontMetricsF,
    QPagedPaintDevice,
    QPageLayout,
    QPageSize,
    QPdfWriter,
    QTextBlock,
    QTextCursor,
    QTextDocument,
    QTextListFormat,
    QTextOption,
)

from desktop.text import TASKS
from runtime import UserFacingError, write_whole

_MARGIN = 18.0  # millimetres
_DOTS = 1200  # an inch, of the writer; text is laid out in points

# Qt knows neither variables nor media of style sheets: all that a page says for browsers is lost on it.
_SHEET = """
pre, .user, .system, .math { white-space: pre-wrap; }
pre, .user { background-color: #f2f2f5; }
.when, .system, blockquote { color: #6e6e73; }
th, td { padding: 3px; }
"""


class PdfError(UserFacingError):
    """The PDF cannot be written."""


def write_pdf(html: str, file: Path) -> None:
    """Write `html` on A4 pages. Whole or not at all; raises PdfError where the disk fails."""
    try:
        write_whole(file, [_pdf(html)])
    except OSError as error:
        raise PdfError(f"{file} cannot be written ({error.strerror}): choose another place.") from None


def _pdf(html: str) -> bytes:
    pages = QBuffer()
    pages.open(QBuffer.OpenModeFlag.WriteOnly)
    writer = QPdfWriter(pages)
    writer.setResolution(_DOTS)
    writer.setPageSize(QPageSize(QPageSize.PageSizeId.A4))
    margins = QMarginsF(_MARGIN, _MARGIN, _MARGIN, _MARGIN)
    writer.setPageMargins(margins, QPageLayout.Unit.Millimeter)
    document = lay_out(html, writer)
    document.print_(writer)
    del document, writer  # which write to the pages until they go
    return bytes(pages.data().data())


def lay_out(html: str, paper: QPagedPaintDevice) -> QTextDocument:
    """`html` on pages of `paper`: no line is wider than they are, and what was typed keeps its lines and spaces."""
    document = QTextDocument()
    document.documentLayout().setPaintDevice(paper)
    wrapping = QTextOption()
    wrapping.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
    document.setDefaultTextOption(wrapping)
    document.setDefaultStyleSheet(_SHEET)
    document.setHtml(html)
    _hang_boxes(document, paper)
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
