"""Tables of many rows, whole and while they stream in."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import QObject, QSizeF
from PySide6.QtGui import QTextDocument, QTextFormat
from pytestqt.qtbot import QtBot

from desktop.views.conversation.formulas import FORMULA, FormulaObject
from desktop.views.conversation.maths import drawings
from desktop.views.conversation.table import TableView
from desktop.views.conversation.view import ConversationView
from tests.desktop.conversation.conftest import answer, message
from tests.desktop.engines import wait

HEAD = "|name|number|\n|---|---|\n"
ROWS = 40


def row(number: int) -> str:
    return f"|name{'x' * (number % 7)}|{number}|\n"


def table(view: ConversationView) -> TableView:
    (found,) = message(view, 1).body.segments
    assert isinstance(found, TableView)
    return found


@pytest.fixture
def grown(view: ConversationView) -> str:
    """A table as it is while more of it comes; its text."""
    text = HEAD
    view.set_items([answer(1, text, state="streaming")])
    for number in range(ROWS):
        for piece in (row(number)[:4], row(number)[4:]):
            text += piece
            view.stream(1, text)
            view.list.show_grown()
    return text


def looks(shown: TableView) -> dict[str, Any]:
    layout, block, tops = shown.document().documentLayout(), shown.document().begin(), []
    while block.isValid():
        tops.append((block.text(), layout.blockBoundingRect(block)))
        block = block.next()
    return {"blocks": tops, "height": shown.height()}


def test_one_that_grew_looks_as_one_that_came_whole(view: ConversationView, grown: str) -> None:
    after = looks(table(view))
    view.set_items([answer(1, grown)])
    assert looks(table(view)) == after


class Measured(FormulaObject):
    """Notes where formulas are measured, which Qt does where it lays out."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent, drawings)
        self.places: list[int] = []

    def intrinsicSize(self, document: QTextDocument, position: int, kind: QTextFormat) -> QSizeF:
        self.places.append(position)
        return super().intrinsicSize(document, position, kind)


def test_a_row_more_has_nothing_far_above_it_laid_out_again(view: ConversationView, qtbot: QtBot) -> None:
    text = HEAD + "".join(f"|$x$|{number}|\n" for number in range(ROWS))
    view.set_items([answer(1, text, state="streaming")])
    wait(qtbot, lambda: "\ufffc" in table(view).toPlainText())
    document = table(view).document()
    measured = Measured(document)
    document.documentLayout().registerHandler(FORMULA, measured)
    view.stream(1, text + "|$x$|more|")
    view.list.show_grown()
    assert measured.places
    assert int(document.findBlock(min(measured.places)).next().text()) > 24


def test_one_that_loses_its_last_row_loses_it_on_the_screen(view: ConversationView, qtbot: QtBot, grown: str) -> None:
    view.stream(1, grown + "``")
    view.list.show_grown()
    assert "``" in table(view).toPlainText()
    view.stream(1, grown + "```")
    view.list.show_grown()
    wait(qtbot, lambda: not message(view, 1).lacks)
    shown = message(view, 1).body.segments[0]
    assert isinstance(shown, TableView)
    assert "``" not in shown.toPlainText()
    assert str(ROWS - 1) in shown.toPlainText()


def test_all_of_one_is_copied_without_lines_between(view: ConversationView, grown: str) -> None:
    message(view, 1).body.select_all()
    copied = message(view, 1).body.selected_text().split("\n")
    assert copied == ["name", "number"] + [text for n in range(ROWS) for text in row(n).strip("|\n").split("|")]


def test_a_formula_that_is_drawn_late_takes_the_place_of_its_source(view: ConversationView, qtbot: QtBot) -> None:
    text = HEAD + "".join(row(n) for n in range(20)) + "|$x_{77}$|a|\n" + "".join(row(n) for n in range(20))
    view.set_items([answer(1, text)])
    wait(qtbot, lambda: "\ufffc" in table(view).toPlainText())
    assert "x_{77}" not in table(view).toPlainText()
    wide = table(view).fit(500)
    view.set_items([answer(1, text)])  # with the drawing at hand
    assert table(view).fit(500) == wide


def test_a_cell_with_nothing_but_a_low_formula_is_as_high_as_one_with_words(
    view: ConversationView, qtbot: QtBot
) -> None:
    view.set_items([answer(1, "|word|\n|---|\n|$-$|")])
    wait(qtbot, lambda: "\ufffc" in table(view).toPlainText())
    document = table(view).document()
    word, formula = (
        document.documentLayout().blockBoundingRect(document.find(text).block()) for text in ("word", "\ufffc")
    )
    assert formula.height() == word.height()
