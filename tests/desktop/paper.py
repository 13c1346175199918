"""What the tests of paper share: chats laid out as a PDF has them."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtGui import QPdfWriter, QTextBlock, QTextDocument

from desktop.store.store import Store
from desktop.store.transfer import Paper, render_paper
from desktop.text import draw
from desktop.views import pdf


def on_paper(store: Store, writer: QPdfWriter, *chats: int) -> QTextDocument:
    """Chats, given by id, with all their formulas drawn."""
    page = render_paper(store, chats)
    drawings = {(formula.source, formula.display): draw(formula.source, formula.display) for formula in page.formulas}
    return lay_out(page, drawings, writer)


def lay_out(page: Paper, drawings: pdf.Drawings, writer: QPdfWriter) -> QTextDocument:
    """A page with what was drawn of its formulas."""
    document = pdf.empty_document(drawings, writer)
    for _ in pdf.lay_out(document, page, drawings, writer):
        pass
    return document


def blocks(document: QTextDocument) -> Iterator[QTextBlock]:
    block = document.begin()
    while block.isValid():
        yield block
        block = block.next()
