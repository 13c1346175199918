"""Long texts come in pieces, between which the window does what else there is to do; in the end all is there."""

from __future__ import annotations

import threading
from functools import partial

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.store.search import places
from desktop.text import Markdown, plain_text
from desktop.views.conversation.body import text_of
from desktop.views.conversation.reading import Reading
from desktop.views.conversation.table import TableView
from desktop.views.conversation.view import ConversationView
from desktop.views.conversation.work import work
from tests.desktop.conversation.conftest import answer, message, texts, user
from tests.desktop.engines import wait

PARTS = 60
ANSWER = "".join(f"Part {n} begins " + "and goes on " * 30 + f"\n\n```\ncode {n}\n```\n\n" for n in range(PARTS))
TYPED = "\n".join(f"line {n} that was typed" for n in range(2000))
TABLE = "|" + "|".join(f"h{n}" for n in range(20)) + "|\n|" + "---|" * 20 + "\n"
TABLE += "".join("|" + "|".join(f"{row}.{n}" for n in range(20)) + "|\n" for row in range(60))


def shown(view: ConversationView, number: int) -> str:
    """All texts of a message that are there now."""
    return "\n".join(text_of(segment).toPlainText() for segment in message(view, number).body.segments)


@pytest.mark.parametrize("item", [answer(2, ANSWER), user(2, TYPED), answer(2, TABLE)], ids=["answer", "own", "table"])
def test_the_window_goes_on_before_all_of_a_long_text_is_there(
    view: ConversationView, qtbot: QtBot, item: object
) -> None:
    lacked: list[bool] = []
    view.set_items([user(1, "q"), item])  # type: ignore[list-item]
    QTimer.singleShot(0, lambda: lacked.append(message(view, 2).lacks))
    wait(qtbot, lambda: bool(lacked) and not message(view, 2).lacks)
    assert lacked == [True]


def test_a_long_answer_is_read_and_copied_as_a_short_one(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items([user(1, "q"), answer(2, ANSWER)])
    wait(qtbot, lambda: not message(view, 2).lacks)
    assert message(view, 2).accessibleName() == f"Falcon: {plain_text(Markdown().update(ANSWER, final=True))}"
    copied = message(view, 2).body
    copied.select_all()
    assert [line for line in copied.selected_text().split("\n") if line] == [
        line.strip() for line in ANSWER.split("\n") if line.strip() and line != "```"
    ]


def test_the_end_of_what_is_followed_comes_first_and_the_beginning_of_what_is_gone_to(
    view: ConversationView, qtbot: QtBot
) -> None:
    view.set_items([user(1, "q"), answer(2, ANSWER)])
    wait(qtbot, lambda: bool(message(view, 2).body.segments))
    assert message(view, 2).lacks
    assert f"code {PARTS - 1}" in shown(view, 2)
    assert "Part 0 " not in shown(view, 2)
    view.set_items([user(1, "q")])
    view.set_items([user(3, "q"), answer(4, ANSWER)], focus=4)
    wait(qtbot, lambda: bool(message(view, 4).body.segments))
    assert message(view, 4).lacks
    assert "Part 0 " in shown(view, 4)
    assert f"code {PARTS - 1}" not in shown(view, 4)


def test_what_is_read_stays_in_its_place_while_more_comes_above(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items([user(1, "q"), answer(2, ANSWER), user(3, "next")])
    places: set[int] = set()

    def there() -> bool:
        places.add(message(view, 3).y())
        return not message(view, 2).lacks

    wait(qtbot, there)
    assert len(places) == 1


def test_all_of_it_is_selected_and_found_before_it_is_there(view: ConversationView) -> None:
    view.set_items([user(1, "q"), answer(2, ANSWER)])
    assert view.find_text("Part 0 ") == 1
    assert not message(view, 2).lacks
    assert [len(text_of(part).extraSelections()) for part in message(view, 2).body.segments[:2]] == [1, 0]
    view.set_items([user(3, TYPED)])
    assert message(view, 3).lacks
    message(view, 3).body.select_all()
    assert message(view, 3).body.selected_text() == TYPED


@pytest.mark.parametrize("act", ["select", "find", "found"])
@pytest.mark.parametrize(("columns", "rows"), [(10, 60), (20, 50), (4, 200)])
def test_all_of_a_table_is_selected_and_found_before_it_is_there(
    view: ConversationView, qtbot: QtBot, columns: int, rows: int, act: str
) -> None:
    cells = [[f"{row}.{n}." for n in range(columns)] for row in range(rows)]
    lines = ["|" + "|".join(row) + "|" for row in cells]
    view.set_items([answer(1, "\n".join([lines[0], "|" + "---|" * columns, *lines[1:]]))], focus=1)
    assert message(view, 1).lacks
    last = cells[-1][-1]
    if act == "select":
        message(view, 1).setFocus()
        qtbot.keyClick(message(view, 1), Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        assert message(view, 1).body.selected_text().split("\n") == [cell for row in cells for cell in row]
    elif act == "find":
        assert view.find_text(last) == 1
    else:
        view.show_found(1, partial(places, last))
    assert not message(view, 1).lacks
    assert act == "select" or [len(text.extraSelections()) for text in texts(view, 1)] == [1]


def test_what_is_sought_is_marked_in_what_comes_later(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items([user(1, TYPED), *(user(n, "typed") for n in range(2, 40))])
    view.find_text("typed")
    view.list.reveal(0)
    wait(qtbot, lambda: not message(view, 1).lacks)
    marks = [len(text_of(part).extraSelections()) for part in message(view, 1).body.segments]
    assert sum(marks) == 2000


def test_a_large_table_is_all_there_in_the_end_and_as_wide_as_its_widest_cells(
    view: ConversationView, qtbot: QtBot
) -> None:
    wide = (
        TABLE + "|" + "|".join("a much wider cell than all of the others" if n == 7 else "x" for n in range(20)) + "|\n"
    )
    view.set_items([answer(1, wide)])
    wait(qtbot, lambda: not message(view, 1).lacks)
    (table,) = message(view, 1).body.segments
    assert isinstance(table, TableView)
    cells = [cell for line in wide.split("\n") if "---" not in line for cell in line.strip("|").split("|") if cell]
    message(view, 1).body.select_all()
    assert table.selected_text().split("\n") == cells
    grids = {tuple(length.rawValue() for length in grid.format().columnWidthConstraints()) for grid in table._grids}
    (widths,) = grids
    assert widths[7] == max(widths) > 2 * min(widths)


def test_of_texts_that_are_asked_for_while_one_is_read_the_last_one_comes(qapp: QApplication, qtbot: QtBot) -> None:
    reading, came = Reading(qapp), []
    reading.came.connect(lambda: came.append(plain_text(reading.take() or [])))
    hold = threading.Event()
    work().submit(hold.wait, reading, lambda *_: None, text=True)
    for end in (" one", " two", " three"):
        assert reading.read(ANSWER + end, final=False) is None
    hold.set()
    wait(qtbot, lambda: not reading.busy and len(came) == 2)
    assert [text.split()[-1] for text in came] == ["one", "three"]
    assert reading.read("short", final=True) is not None


def test_what_is_read_right_after_a_text_was_waited_for_comes(qapp: QApplication, qtbot: QtBot) -> None:
    reading, came = Reading(qapp), []
    reading.came.connect(lambda: came.append(plain_text(reading.take() or [])))
    assert reading.read(ANSWER + " one", final=False) is None
    assert plain_text(reading.finish() or []).split()[-1] == "one"
    assert reading.read(ANSWER * 2 + " two", final=True) is None
    wait(qtbot, lambda: not reading.busy)
    assert [text.split()[-1] for text in came] == ["two"]


def test_no_drawing_keeps_a_text_waiting(view: ConversationView, qtbot: QtBot) -> None:
    hold = threading.Event()
    work().submit(hold.wait, view, lambda *_: None)
    try:
        view.set_items([user(1, "q"), answer(2, ANSWER)])
        wait(qtbot, lambda: not message(view, 2).lacks)
    finally:
        hold.set()


def test_long_code_is_coloured_to_its_end(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items([answer(1, "```python\n" + "x = 'text'\n" * 700 + "```\n")])
    document = text_of(message(view, 1).body.segments[0]).document()
    wait(qtbot, lambda: bool(document.lastBlock().layout().formats()))
    assert all(document.findBlockByNumber(n).layout().formats() for n in range(700))
