"""Sheets of paper: what stands together on one, and tables of any width."""

from __future__ import annotations

from itertools import pairwise

import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QPdfWriter, QTextBlock, QTextCursor, QTextDocument, QTextTable

from desktop.store.store import Store
from desktop.views.conversation.formulas import SCALE
from desktop.views.paper import Sheet, cut, measure
from desktop.views.tokens import LIGHT
from tests.desktop.paper import blocks, on_paper

PIXEL = 12.5  # dots of the paper, as the screen has 96 to an inch
LOREM = (
    "Lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore " * 3
)


def written(store: Store, writer: QPdfWriter, *texts: str) -> QTextDocument:
    """Answers, each in a chat of its own."""
    chats = [store.new_chat().id for _ in texts]
    for chat, text in zip(chats, texts, strict=True):
        store.add(chat, None, "assistant", text)
    return on_paper(store, writer, *chats)


def tables(document: QTextDocument) -> list[QTextTable]:
    return [frame for frame in document.rootFrame().childFrames() if isinstance(frame, QTextTable)]


def words(table: QTextTable) -> list[list[str]]:
    rows, columns = range(table.rows()), range(table.columns())
    return [[table.cellAt(row, column).firstCursorPosition().block().text() for column in columns] for row in rows]


def box(block: QTextBlock) -> QRectF:
    return block.document().documentLayout().blockBoundingRect(block)


def lines(block: QTextBlock) -> list[tuple[float, float]]:
    """Top and bottom of each."""
    top, laid = box(block).top(), block.layout()
    found = [laid.lineAt(nth) for nth in range(laid.lineCount())]
    return [(top + line.y(), top + line.y() + line.height()) for line in found]


def broken(document: QTextDocument) -> list[str]:
    """Words of cells that go on on another line."""
    found = []
    for block in blocks(document):
        if QTextCursor(block).currentTable() is None:
            continue
        laid, text = block.layout(), block.text()
        starts = [laid.lineAt(nth).textStart() for nth in range(1, laid.lineCount())]
        found += [text for start in starts if not text[start - 1].isspace() and text[start - 1] not in "-/"]
    return found


def sheet_of(sheets: list[Sheet], top: float, bottom: float) -> list[int]:
    """Sheets on which all from `top` to `bottom` stands."""
    return [n for n, sheet in enumerate(sheets) if sheet.piece.top <= top and bottom <= sheet.piece.bottom]


def table(columns: int, *rows: str) -> str:
    head = "|" + "|".join(f"c{n}" for n in range(columns)) + "|\n" + "|---" * columns + "|\n"
    return head + "\n".join("|" + "|".join(f"{row} {n}" for n in range(columns)) + "|" for row in rows)


@pytest.mark.parametrize(
    "text",
    [
        "|Feature|Description|Price|\n|---|---|--:|\n|Authentication|" + LOREM + "|1|",
        "|" + "Internationalization|" * 6 + "\n|" + "---|" * 6 + "\n|" + "Straightforward **things**|" * 6,
        table(24, "", "beautiful"),
        table(60, "word"),
        "- item\n\n  " + table(2, "word").replace("\n", "\n  "),
        "> - item\n>\n>   " + table(14, "beautiful").replace("\n", "\n>   "),
    ],
)
def test_no_word_of_a_table_is_broken_and_no_column_is_beyond_the_margin(
    store: Store, writer: QPdfWriter, text: str
) -> None:
    document = written(store, writer, text)
    cells = [block for block in blocks(document) if QTextCursor(block).currentTable() is not None]
    assert broken(document) == []
    assert max(box(block).right() for block in cells) <= writer.width()
    laid = [(block, block.layout().lineAt(nth)) for block in cells for nth in range(block.layout().lineCount())]
    assert all(line.naturalTextWidth() <= box(block).width() + 1 for block, line in laid)


def test_a_table_that_is_a_little_too_wide_is_set_in_smaller_type(store: Store, writer: QPdfWriter) -> None:
    document = written(store, writer, table(12, "beautiful", r"$\frac{1}{2}$"), table(3, r"$\frac{1}{2}$"))
    small, usual = tables(document)
    points, scales = [], []
    for found in (small, usual):
        shapes = [
            entry.fragment().charFormat()
            for entry in found.cellAt(found.rows() - 1, 0).firstCursorPosition().block().begin()  # type: ignore[attr-defined]
        ]
        scales.append(shapes[0].property(SCALE))
        points.append(shapes[1].font().pointSizeF())
    assert 7 <= points[0] < points[1] == document.defaultFont().pointSizeF()
    assert scales[0] / scales[1] == pytest.approx(points[0] / points[1])


def test_a_table_of_too_many_columns_goes_on_below_with_its_first_one(store: Store, writer: QPdfWriter) -> None:
    document = written(store, writer, table(40, "beautiful", r"$x$"))
    pieces = [words(found) for found in tables(document)]
    assert len(pieces) > 1
    assert {piece[0][0] for piece in pieces} == {"c0"}
    assert {piece[1][0] for piece in pieces} == {"beautiful 0"}
    assert [cell for piece in pieces for cell in piece[0][1:]] == [f"c{n}" for n in range(1, 40)]
    assert [cell for piece in pieces for cell in piece[2][1:]] == [f"\ufffc {n}" for n in range(1, 40)]


def test_a_table_that_is_read_from_the_right_has_its_first_column_there_in_each_piece(
    store: Store, writer: QPdfWriter
) -> None:
    document = written(store, writer, table(40, "ملاحظات").replace("c", "الاسم"))
    pieces = [words(found) for found in tables(document)]
    assert len(pieces) > 1
    assert {piece[0][-1] for piece in pieces} == {"الاسم0"}
    assert [cell for piece in pieces for cell in piece[0][-2::-1]] == [f"الاسم{n}" for n in range(1, 40)]


def test_a_word_wider_than_the_page_is_broken_rather_than_lost(store: Store, writer: QPdfWriter) -> None:
    document = written(store, writer, f"|a|b|\n|---|---|\n|{'x' * 300}|{'y' * 300}|")
    assert max(box(block).right() for block in blocks(document) if block.text()) <= writer.width() * 1.001
    assert [row for found in tables(document) for row in words(found)] == [["a", "b"], ["x" * 300, "y" * 300]]


@pytest.mark.parametrize("length", range(1, 60, 7))
def test_a_heading_is_never_the_last_on_a_sheet_and_no_line_is_cut(
    store: Store, writer: QPdfWriter, length: int
) -> None:
    follows = ["text", LOREM, "- item\n- item", "```\ncode\n```", "|a|b|\n|---|---|\n|c|d|", "### Deeper\n\ntext"]
    text = "word\n" * length + "\n\n".join(f"## Title {n}\n\n{follows[n % len(follows)]}" for n in range(60))
    document = written(store, writer, text + "\n\na[^1]\n\n[^1]: note")
    sheets = cut(list(measure(document, writer.height(), PIXEL)), writer.height())
    assert len(sheets) > 3
    assert all(sheet.piece.bottom - sheet.piece.top <= writer.height() for sheet in sheets)
    found = [block for block in blocks(document) if block.text()]
    at = [[sheet_of(sheets, *line) for line in lines(block)] for block in found]
    assert all(len(places) == 1 for block in at for places in block)
    for (block, places), (_, after) in pairwise(zip(found, at, strict=True)):
        if block.blockFormat().headingLevel():
            assert places[-1] == after[0], block.text()


def test_no_line_of_a_paragraph_is_alone_on_a_sheet(store: Store, writer: QPdfWriter) -> None:
    document = written(store, writer, "\n\n".join([LOREM * 2] * 60))
    sheets = cut(list(measure(document, writer.height(), PIXEL)), writer.height())
    for block in blocks(document):
        places = [sheet_of(sheets, *line)[0] for line in lines(block)]
        assert min(places.count(place) for place in places) > (1 if len(places) > 1 else 0)


def test_rows_stay_whole_and_the_head_of_a_table_stands_on_each_sheet_of_it(store: Store, writer: QPdfWriter) -> None:
    document = written(store, writer, table(3, *(f"row {n} {'word ' * (n % 17)}" for n in range(120))))
    sheets = cut(list(measure(document, writer.height(), PIXEL)), writer.height())
    (found,) = tables(document)
    head = found.cellAt(0, 0).firstCursorPosition().block()
    assert len(sheets) > 2
    for sheet in sheets[1:]:
        assert sheet.head is not None
        assert sheet.head.top < box(head).top() < box(head).bottom() < sheet.head.bottom
        assert sheet.head.bottom - sheet.head.top + sheet.piece.bottom - sheet.piece.top <= writer.height() + 1
    for row in range(found.rows()):
        cells = [found.cellAt(row, column).firstCursorPosition().block() for column in range(3)]
        assert len({sheet_of(sheets, *line)[0] for cell in cells for line in lines(cell)}) == 1


def test_sheets_follow_each_other_where_items_begin_with_tables(store: Store, writer: QPdfWriter) -> None:
    item = "- " + table(2, "word", "word").replace("\n", "\n  ")
    document = written(store, writer, "\n\n".join([item, "---", "- text"] * 40))
    sheets = cut(list(measure(document, writer.height(), PIXEL)), writer.height())
    assert len(sheets) > 3
    assert all(one.piece.bottom <= other.piece.top + PIXEL for one, other in pairwise(sheets))
    cells = [block for block in blocks(document) if block.text()]
    assert all(len(sheet_of(sheets, *line)) == 1 for cell in cells for line in lines(cell))


def test_a_row_higher_than_a_sheet_goes_on_between_its_lines(store: Store, writer: QPdfWriter) -> None:
    document = written(store, writer, f"|a|b|\n|---|---|\n|{LOREM * 40}|{LOREM * 30}|\n|c|d|")
    sheets = cut(list(measure(document, writer.height(), PIXEL)), writer.height())
    assert len(sheets) > 2
    cells = [block for block in blocks(document) if block.text()]
    assert all(len(sheet_of(sheets, *line)) == 1 for cell in cells for line in lines(cell))


def test_a_chat_begins_on_a_sheet_of_its_own(store: Store, writer: QPdfWriter) -> None:
    document = written(store, writer, "one", "two\n\n# Title", "three")
    sheets = cut(list(measure(document, writer.height(), PIXEL)), writer.height())
    said = ("one", "two", "three")
    assert [sheet_of(sheets, *lines(document.find(word).block())[0]) for word in said] == [[0], [1], [2]]


def test_what_is_higher_than_a_sheet_goes_on_where_it_ends(store: Store, writer: QPdfWriter) -> None:
    document = written(store, writer, "one\n\n" + LOREM)
    (top, bottom), *_ = lines(document.find("one").block())
    sheets = cut(list(measure(document, (bottom - top) / 3, PIXEL)), (bottom - top) / 3)
    pieces = [sheet.piece for sheet in sheets if top <= sheet.piece.top < bottom]
    assert len(pieces) == 3
    assert pieces[-1].bottom == bottom


def test_headings_of_all_levels_are_bold_and_none_is_smaller_than_text(store: Store, writer: QPdfWriter) -> None:
    document = written(store, writer, "\n\n".join(f"{'#' * level} Level {level}" for level in range(1, 7)) + "\n\ntext")
    fonts = [document.find(f"Level {level}").charFormat().font() for level in range(1, 7)]
    sizes = [font.pointSizeF() for font in fonts]
    assert all(font.bold() for font in fonts)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] >= document.defaultFont().pointSizeF()


def test_a_quote_stands_apart_from_the_margin_as_far_as_its_tables(store: Store, writer: QPdfWriter) -> None:
    document = written(store, writer, "text\n\n> quoted\n>\n> |a|\n> |---|\n> |b|\n>\n> > deeper")
    text, quoted, deeper = (document.find(word).block().layout().lineAt(0).x() for word in ("text", "quoted", "deeper"))
    assert text == 0
    assert quoted == 20 * PIXEL
    assert deeper == 40 * PIXEL
    cell = document.find("a", document.find("quoted")).block()
    assert quoted < box(cell).left() < deeper


def test_code_on_paper_has_the_colours_of_the_light_window(store: Store, writer: QPdfWriter) -> None:
    document = written(store, writer, '```python\ndef f(): # why\n    return "text", 4711\n```')
    found = {word: document.find(word).charFormat().foreground().color().name() for word in ("def", "# why", "4711")}
    assert found == {"def": LIGHT.code_keyword, "# why": LIGHT.code_comment, "4711": LIGHT.code_number}
