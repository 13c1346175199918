"""Tables that are read from the right: where their columns are, and what is copied and found in which order."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCursor
from pytestqt.qtbot import QtBot

from desktop.views.conversation.body import text_of
from desktop.views.conversation.table import TableView
from desktop.views.conversation.view import ConversationView
from tests.desktop.conversation.conftest import answer, message, user
from tests.desktop.engines import wait

ARABIC = "|الاسم|الحجم|ملاحظات|\n|---|:--|---|\n|Falcon|7|سريع|\n|فالكون|40|$x^2$ أكبر|"


def table(view: ConversationView, text: str) -> TableView:
    view.set_items([user(1, "q"), answer(2, text)])
    (found,) = message(view, 2).body.segments
    assert isinstance(found, TableView)
    return found


def cell(table: TableView, text: str) -> QTextCursor:
    """A selection of the text in its cell."""
    found = table.document().find(text)
    assert not found.isNull()
    return found


def left(table: TableView, text: str) -> float:
    return table.document().documentLayout().blockBoundingRect(cell(table, text).block()).left()


def test_its_first_column_is_at_the_right(view: ConversationView) -> None:
    shown = table(view, ARABIC)
    assert left(shown, "ملاحظات") < left(shown, "الحجم") < left(shown, "الاسم")
    assert left(shown, "الاسم") > shown.width() / 2
    view.set_items([answer(3, "|a|b|\n|---|---|\n|ع|c|")])
    (other,) = message(view, 3).body.segments
    assert isinstance(other, TableView)
    assert left(other, "a") < left(other, "b") < other.width() / 2


def test_cells_begin_at_the_right_but_where_it_says_otherwise(view: ConversationView) -> None:
    shown = table(view, ARABIC)
    sides = [cell(shown, text).blockFormat().alignment() for text in ("Falcon", "40", "سريع")]
    absolute = Qt.AlignmentFlag.AlignAbsolute
    assert sides == [side | absolute for side in (
        Qt.AlignmentFlag.AlignRight, Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
    )]  # fmt: skip


def test_columns_are_as_wide_as_they_need(view: ConversationView, qtbot: QtBot) -> None:
    wide, long = " + ".join("abcdefghij"), "قيمة " * 60
    shown = table(view, f"|الاسم|{long}|{long}|${wide}$|\n|---|---|---|---|\n|a|b|c|d|")
    wait(qtbot, lambda: "\ufffc" in shown.toPlainText())
    assert shown.horizontalScrollBar().maximum() == 0
    name, formula = cell(shown, "الاسم").block(), cell(shown, "\ufffc").block()
    assert [block.layout().lineCount() for block in (name, formula)] == [1, 1]
    width = shown._grids[0].format().columnWidthConstraints()[0].rawValue()
    assert formula.layout().lineAt(0).naturalTextWidth() <= width


def test_what_is_copied_is_in_the_order_in_which_it_is_read(view: ConversationView, qtbot: QtBot) -> None:
    shown = table(view, ARABIC)
    wait(qtbot, lambda: "\ufffc" in shown.toPlainText())
    message(view, 2).body.select_all()
    words = ["الاسم", "الحجم", "ملاحظات", "Falcon", "7", "سريع", "فالكون", "40", "$x^2$ أكبر"]
    assert shown.selected_text().split() == " ".join(words).split()
    shown.setTextCursor(cell(shown, "لكو"))
    assert shown.selected_text() == "لكو"


def test_what_is_found_is_walked_through_in_the_order_in_which_it_is_read(view: ConversationView) -> None:
    shown = table(view, "|ا word|ب word|\n|---|---|\n|word|c|")
    assert view.find_text("word") == 3
    walked = []
    for _ in range(3):
        view.find_next()
        marks = shown.extraSelections()
        (chosen,) = (mark for mark in marks if mark.format.background().color() == shown._style.accent)
        walked.append(chosen.cursor.block().text())
    assert walked == ["ا word", "ب word", "word"]


def test_one_that_scrolls_begins_with_its_first_column(view: ConversationView, qtbot: QtBot) -> None:
    row = "|" + "|".join(f"كلمة{n}xxxxxxxxxxxxxxx" for n in range(12)) + "|"
    shown = table(view, f"{row}\n|{'---|' * 12}\n{row}")
    bar = shown.horizontalScrollBar()
    assert bar.value() == bar.maximum() > 0
    assert shown.viewport().rect().contains(shown.cursorRect(cell(shown, "كلمة0")))
    before = bar.maximum()
    view.window().resize(shown.width() * 2 // 3, view.height())
    wait(qtbot, lambda: bar.maximum() > before)
    assert bar.value() == bar.maximum()


def bars(view: ConversationView) -> list[tuple[bool, bool]]:
    """Of each paragraph of the one text in sight: whether it has a bar at its left, and at its right."""
    (prose,) = message(view, 2).body.segments
    picture, document = prose.grab().toImage(), text_of(prose).document()
    rows, block = [], document.begin()
    while block.isValid():
        rows.append(round(document.documentLayout().blockBoundingRect(block).center().y()))
        block = block.next()
    line = text_of(prose)._style.line  # type: ignore[union-attr]
    ratio = picture.devicePixelRatio()
    return [
        (
            picture.pixelColor(round(2 * ratio), round(y * ratio)) == line,
            picture.pixelColor(round((prose.width() - 3) * ratio), round(y * ratio)) == line,
        )
        for y in rows
    ]


def test_the_bar_of_a_quote_is_where_its_words_begin(view: ConversationView) -> None:
    view.set_items([user(1, "q"), answer(2, "> اقتباس\n>\n> 7\n>\n> word\n\nبلا")])
    assert bars(view) == [(False, True), (False, True), (True, False), (False, False)]


def test_the_full_stop_of_a_number_is_at_its_left(view: ConversationView) -> None:
    view.set_items([user(1, "q"), answer(2, "1. بند\n\nكلمة\n\n1. item")])
    (prose,) = message(view, 2).body.segments
    document = text_of(prose).document()
    drawn = []
    for block in (document.begin(), document.lastBlock()):
        items = block.textList()
        assert items is not None
        drawn.append(items.itemText(block))  # as Qt draws it, in the direction of the block
    assert drawn == ["1.", "1."]
