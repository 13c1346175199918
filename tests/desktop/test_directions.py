"""Text that runs from right to left: which one does, on exported pages and in PDFs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QPdfWriter, QTextDocument
from PySide6.QtWidgets import QApplication

from desktop.store.store import Store
from desktop.store.transfer import render, render_paper
from desktop.text import Markdown, Table, direction, is_mirrored
from tests.desktop.paper import lay_out

ARABIC = "|الاسم|الحجم|ملاحظات|\n|---|:--|:-:|\n|`Falcon` (7B).|7|سريع|"
HEBREW = "|1 – שם|$x$|\n|---|---|\n|a|b|"
ENGLISH = "|Name|قيمة|\n|---|---|\n|one|واحد|"


def answered(store: Store, text: str) -> int:
    chat = store.new_chat().id
    store.add(chat, None, "assistant", text)
    return chat


@pytest.mark.parametrize(
    ("text", "way"),
    [("a ש", "ltr"), ("1. (ש) a", "rtl"), ("«عربي»", "rtl"), ("12 – 3", None), ("", None), ("中文 ع", "ltr")],
)
def test_a_text_runs_as_its_first_letter_does(text: str, way: str | None) -> None:
    assert direction([text]) == way
    assert direction(["1", "-", text]) == way


@pytest.mark.parametrize(
    ("text", "mirrored"), [(ARABIC, True), (HEBREW, True), (ENGLISH, False), ("|$x$|ع|\n|---|---|", True)]
)
def test_a_table_is_mirrored_where_its_first_letter_runs_leftwards(text: str, mirrored: bool) -> None:
    (table,) = Markdown().update(text, final=True)
    assert isinstance(table, Table)
    assert is_mirrored(table) is mirrored


def test_each_block_of_a_page_says_which_way_it_runs(store: Store) -> None:
    text = f"Hello\n\n# مرحبا\n\n123\n\n- بند\n- item\n\n> שלום\n\n{ARABIC}\n\n{ENGLISH}"
    made = render(store, [answered(store, text)], "html")
    found = re.findall(r'<(p|h1|ul|blockquote|table)(?: dir="(\w+)")?>', made[made.index('class="assistant"') :])
    assert found[:6] == [("p", "ltr"), ("h1", "rtl"), ("p", ""), ("ul", "rtl"), ("blockquote", "rtl"), ("p", "")]
    assert [way for tag, way in found if tag == "table"] == ["rtl", "ltr"]
    assert made.index("الاسم") < made.index("الحجم")  # a browser turns them round


def test_a_table_in_a_list_says_so_too(store: Store) -> None:
    made = render(store, [answered(store, "- a list\n\n  " + HEBREW.replace("\n", "\n  "))], "html")
    assert '<ul dir="ltr">' in made
    assert '<table dir="rtl">' in made


@pytest.fixture
def writer(qapp: QApplication, tmp_path: Path) -> QPdfWriter:
    writer = QPdfWriter(str(tmp_path / "page.pdf"))
    writer.setResolution(1200)
    return writer


def place(document: QTextDocument, text: str) -> tuple[float, float]:
    """Left and right end of the line that a text stands in."""
    block = document.find(text).block()
    line = block.layout().lineAt(0)
    box = document.documentLayout().blockBoundingRect(block)
    left = box.left() + line.naturalTextRect().left() - block.layout().boundingRect().left()
    return left, left + line.naturalTextWidth()


def test_a_table_in_a_pdf_begins_at_the_right(store: Store, writer: QPdfWriter) -> None:
    document = lay_out(render_paper(store, [answered(store, f"{ARABIC}\n\n{ENGLISH}")]), {}, writer)
    names, sizes, notes = (place(document, word) for word in ("الاسم", "الحجم", "ملاحظات"))
    assert writer.width() / 2 < notes[0] < notes[1] < sizes[0] < sizes[1] < names[0] < names[1] <= writer.width()
    assert place(document, "Name")[0] < place(document, "قيمة")[0] < writer.width() / 2


def test_cells_of_such_a_table_keep_their_side_and_their_own_direction(store: Store, writer: QPdfWriter) -> None:
    document = lay_out(render_paper(store, [answered(store, ARABIC)]), {}, writer)
    last = document.find("سريع").block()
    cells = (document.find("Falcon").block(), last.next(), last)
    mask = Qt.AlignmentFlag.AlignHorizontal_Mask & ~Qt.AlignmentFlag.AlignAbsolute
    sides = {cell.text(): (cell.blockFormat().alignment() & mask, cell.textDirection()) for cell in cells}
    right, left, centre = Qt.AlignmentFlag.AlignRight, Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignHCenter
    assert sides == {
        "Falcon (7B).": (right, Qt.LayoutDirection.LeftToRight),
        "7": (left, Qt.LayoutDirection.LeftToRight),
        "سريع": (centre, Qt.LayoutDirection.RightToLeft),
    }


def test_words_of_such_a_table_begin_at_its_right_unless_it_says_otherwise(store: Store, writer: QPdfWriter) -> None:
    text = "|الاسم الطويل|الحجم الكبير|\n|---|:--|\n|ا|ب|"
    document = lay_out(render_paper(store, [answered(store, text)]), {}, writer)
    free = []
    for nth in range(2):  # the short words stand below the long ones, in the order in which they are seen
        block = document.find("الحجم").block()
        for _ in range(2 + nth):
            block = block.next()
        line = block.layout().lineAt(0)
        free.append((block.text(), round(line.naturalTextRect().left() - line.x()), line.width()))
    (left, at_left, _), (right, at_right, width) = free
    assert (left, right) == ("ب", "ا")
    assert at_left == 0
    assert at_right > width / 2


def test_a_paragraph_in_a_pdf_runs_its_own_way(store: Store, writer: QPdfWriter) -> None:
    document = lay_out(render_paper(store, [answered(store, "Hello\n\nمرحبا")]), {}, writer)
    assert document.find("Hello").block().textDirection() == Qt.LayoutDirection.LeftToRight
    assert document.find("مرحبا").block().textDirection() == Qt.LayoutDirection.RightToLeft
