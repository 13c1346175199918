"""A page of HTML as a PDF."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QBuffer, QMarginsF, QSizeF
from PySide6.QtGui import QPageLayout, QPageSize, QPdfWriter, QTextDocument

from runtime import UserFacingError, write_whole

_MARGIN = 18.0  # millimetres
_DOTS = 1200  # an inch, of the writer; text is laid out in points


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
    document = QTextDocument()
    document.documentLayout().setPaintDevice(writer)
    document.setHtml(html)
    document.setPageSize(QSizeF(writer.width(), writer.height()))
    document.print_(writer)
    del document, writer  # which write to the pages until they go
    return bytes(pages.data().data())
