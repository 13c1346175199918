"""The place in the text: what is read does not move, what is new is followed only at the bottom."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.settings import Settings
from desktop.views.conversation.body import text_of
from desktop.views.conversation.heights import Heights
from desktop.views.conversation.items import MessageItem
from desktop.views.conversation.view import ConversationView
from desktop.views.theme import theme
from tests.desktop.conversation.conftest import LONG, Window, answer, chat, figures, message, texts, user
from tests.desktop.engines import wait


def screen_place(view: ConversationView) -> tuple[str, int]:
    """The first whole line of text in sight, and how many pixels below the top of the viewport it is."""
    viewport = view.list.viewport()
    for y in range(0, viewport.height()):
        for widget in view.list.widgets.values():
            for segment in widget.body.segments:
                text = text_of(segment)
                inside = text.viewport().mapFrom(viewport, QPoint(0, y))
                where = QPoint(1, inside.y())
                if 0 <= where.y() < text.viewport().height():
                    cursor = text.cursorForPosition(where)
                    top = text.viewport().mapTo(viewport, text.cursorRect(cursor).topLeft()).y()
                    if top >= 0:
                        return f"{widget.item.id}: {cursor.block().text()} @{cursor.position()}", top
    raise AssertionError("no text is in sight")


def wheel(view: ConversationView, notches: int) -> None:
    middle = QPointF(view.list.viewport().rect().center())
    event = QWheelEvent(
        middle,
        QPointF(view.list.viewport().mapToGlobal(middle.toPoint())),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view.list.viewport(), event)


def at_bottom(view: ConversationView) -> bool:
    bar = view.list.verticalScrollBar()
    return bool(bar.value() == bar.maximum())


def stream(view: ConversationView, qtbot: QtBot, number: int, text: str, *, start: int = 0) -> None:
    """`text` in twelve pieces, the first `start` characters of which are there already."""
    for piece in range(1, 13):
        view.stream(number, text[: start + (len(text) - start) * piece // 12])
        view.list.show_grown()
        qtbot.wait(1)


def test_a_chat_opens_at_its_newest_message(view: ConversationView) -> None:
    view.set_items(chat(60))
    assert at_bottom(view)
    assert message(view, 60).isVisible()
    assert not view.newest.isVisible()


def test_only_messages_near_the_viewport_are_widgets(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items(chat(300))
    qtbot.wait(50)
    assert len(view.list.widgets) < 25
    bar = view.list.verticalScrollBar()
    for value in range(bar.maximum(), 0, -bar.maximum() // 20):
        bar.setValue(value)
    assert len(view.list.widgets) < 40


def test_new_text_is_followed_at_the_bottom(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items([*chat(9), answer(10, "", state="streaming")])
    stream(view, qtbot, 10, LONG * 2)
    assert at_bottom(view)
    view.replace(answer(10, LONG * 2, figures=figures()))
    assert at_bottom(view)


def test_scrolling_up_stops_the_following(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items([*chat(9), answer(10, "", state="streaming")])
    stream(view, qtbot, 10, LONG)
    wheel(view, 1)
    before = screen_place(view)
    stream(view, qtbot, 10, LONG * 3, start=len(LONG))
    assert screen_place(view) == before
    assert view.newest.isVisible()


def test_a_small_step_up_is_kept_where_what_comes_into_sight_is_lower_than_thought(view: ConversationView) -> None:
    address = f"[word](https://example.org/{'a' * 3000})"  # long in the text, and none of it is shown
    view.set_items([answer(n, address if n < 20 else LONG * 4, figures=figures()) for n in range(1, 21)])
    bar = view.list.verticalScrollBar()
    while view.list.reading_place()[0] == 20:  # up to the first message above, whose height is a guess
        left, highest = bar.maximum() - bar.value(), bar.maximum()
        view.list.scroll_by(-3)
        assert bar.maximum() - bar.value() == left + 3
        assert not view.list.following
    assert bar.maximum() < highest


def test_scrolling_to_the_end_follows_again(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items([*chat(9), answer(10, "", state="streaming")])
    wheel(view, 3)
    wheel(view, -30)
    stream(view, qtbot, 10, LONG)
    assert at_bottom(view)


def test_jump_to_newest_goes_there_and_stays(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items([*chat(9), answer(10, "", state="streaming")])
    wheel(view, 5)
    qtbot.mouseClick(view.newest, Qt.MouseButton.LeftButton)
    assert not view.newest.isVisible()
    stream(view, qtbot, 10, LONG)
    assert at_bottom(view)


@pytest.mark.parametrize("up", [200, 700, 2500])
def test_what_is_read_does_not_move_while_an_answer_is_written_and_ends(
    view: ConversationView, qtbot: QtBot, up: int
) -> None:
    text = LONG + "\n\n```python\ndef f():\n    return 1\n```\n\n- a\n- b"
    view.set_items([*chat(39), answer(40, "", state="streaming")])
    stream(view, qtbot, 40, text)
    view.list.scroll_by(-up)
    before = screen_place(view)
    stream(view, qtbot, 40, text * 2, start=len(text))
    assert screen_place(view) == before
    view.replace(answer(40, text * 2, figures=figures("length"), count=2))
    qtbot.wait(30)
    assert screen_place(view) == before


def test_what_is_read_does_not_move_when_a_note_appears_above_it(view: ConversationView, qtbot: QtBot) -> None:
    from desktop.store.records import Dropped

    view.set_items([user(1, "Why?"), answer(2, "", state="streaming")])
    text = LONG * 6  # its beginning is out of sight in whatever font
    stream(view, qtbot, 2, text)
    view.list.scroll_by(-300)
    before = screen_place(view)
    view.replace(answer(2, text, dropped=Dropped(policy="window", messages=2, tokens=300)))
    assert screen_place(view) == before


@pytest.mark.parametrize("length", [3, 30, 60])
def test_what_is_read_does_not_move_when_a_formula_is_drawn_above_it(
    view: ConversationView, qtbot: QtBot, length: int
) -> None:
    text = f"$$\\frac{{\\frac{{a}}{{b}}}}{{\\frac{{c}}{{d}}}} + {'123' * length}$$\n\n" + LONG * 2
    view.set_items([user(1, "Why?"), answer(2, text)], focus=2)
    view.list.scroll_by(150)
    before = screen_place(view)
    prose = texts(view, 2)[0]
    wait(qtbot, lambda: "\ufffc" in prose.toPlainText())
    qtbot.wait(30)
    assert screen_place(view)[0].split("@")[0] == before[0].split("@")[0]
    assert screen_place(view)[1] == before[1]


def test_the_wheel_moves_by_its_own_pixels_although_heights_were_only_estimated(view: ConversationView) -> None:
    view.set_items(chat(120))
    for _ in range(40):
        before = {widget.item.id: widget.y() for widget in view.list.widgets.values()}
        value = view.list.verticalScrollBar().value()
        wheel(view, 1)
        moved = {
            widget.y() - before[widget.item.id] for widget in view.list.widgets.values() if widget.item.id in before
        }
        assert len(moved) == 1, "all that was there moves together"
        step = view.list.verticalScrollBar().singleStep() * QApplication.wheelScrollLines()
        assert moved == {step} or value < step


def test_the_first_message_is_reached(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items(chat(80))
    qtbot.keyClick(view.list, Qt.Key.Key_Home)
    first = message(view, 1)
    assert 0 <= first.y() < 40
    assert view.list.verticalScrollBar().value() == 0
    qtbot.keyClick(view.list, Qt.Key.Key_End)
    assert at_bottom(view)


@pytest.mark.parametrize("part", [0.0, 0.25, 0.6])
def test_a_jump_arrives_where_it_was_sent(view: ConversationView, part: float) -> None:
    view.set_items(chat(200))
    bar = view.list.verticalScrollBar()
    bar.setValue(round(bar.maximum() * part))
    visible = sorted(widget.item.id for widget in view.list.widgets.values() if widget.visibleRegion().boundingRect())
    assert abs(visible[0] - 200 * part) < 25
    if part == 0:
        assert bar.value() == 0


def test_another_width_keeps_the_line_at_the_top(window: Window, view: ConversationView, qtbot: QtBot) -> None:
    view.set_items(chat(60))
    view.list.scroll_by(-1500)
    text, _ = screen_place(view)
    window.resize(420, 600)
    qtbot.wait(20)
    assert screen_place(view)[0].split(" @")[0] == text.split(" @")[0]


def test_another_text_size_keeps_the_message_at_the_top(
    application: QApplication, view: ConversationView, qtbot: QtBot
) -> None:
    view.set_items(chat(60))
    view.list.scroll_by(-1500)
    text, _ = screen_place(view)
    theme().apply(Settings(text_size=150))
    qtbot.wait(20)
    assert screen_place(view)[0].split(" @")[0] == text.split(" @")[0]


PROSE = "\n\n".join(f"Paragraph {n} has words that fill a line or two, however wide it is." for n in range(500))
CODE = "\n\n".join(f"Paragraph {n}\n```\ncode of paragraph {n}\n```" for n in range(60))
TABLE = "|a|b|c|d|\n|---|---|---|---|\n" + "".join(f"|row {n}|of some words|that fill|cells {n}|\n" for n in range(200))


@pytest.mark.parametrize("share", [0.3, 0.95])
@pytest.mark.parametrize(
    "item",
    [answer(2, PROSE), answer(2, CODE), answer(2, TABLE), user(2, PROSE)],
    ids=["prose", "code", "table", "own"],
)
def test_another_text_size_keeps_the_line_at_the_top_of_a_message_that_comes_in_pieces(
    application: QApplication, view: ConversationView, qtbot: QtBot, item: MessageItem, share: float
) -> None:
    view.set_items([user(1, "q"), item])
    wait(qtbot, lambda: not message(view, 2).lacks)

    def line() -> str:
        read = message(view, 2)
        spot = read.spot_at(-read.y())
        assert spot is not None
        return texts(view, 2)[spot.segment].document().findBlock(spot.position).text()

    bar = view.list.verticalScrollBar()
    bar.setValue(int(share * bar.maximum()))
    before = line()
    theme().apply(Settings(text_size=150))
    assert line() == before
    wait(qtbot, lambda: not message(view, 2).lacks)
    assert line() == before


def test_a_message_that_is_asked_for_comes_to_the_top(view: ConversationView) -> None:
    view.set_items(chat(60), focus=20)
    assert 0 <= message(view, 20).y() < 40


def test_another_path_through_the_chat_keeps_the_place(view: ConversationView) -> None:
    view.set_items(chat(60))
    view.list.scroll_by(-2500)
    before = screen_place(view)
    view.set_items([*chat(58), user(99, "Other question")])
    assert screen_place(view) == before


def test_an_answer_out_of_sight_grows_without_a_widget(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items([*chat(60), answer(61, "", state="streaming")], focus=2)
    qtbot.wait(50)
    before = screen_place(view)
    stream(view, qtbot, 61, LONG * 4)
    assert screen_place(view) == before
    assert 60 not in view.list.widgets
    qtbot.keyClick(view.list, Qt.Key.Key_End)
    assert message(view, 61).item.text == LONG * 4


def test_streamed_text_is_shown_at_the_next_tick(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items([user(1, "a"), answer(2, "", state="streaming")])
    view.stream(2, "one")
    view.stream(2, "one two")
    assert message(view, 2).item.text == ""
    wait(qtbot, lambda: message(view, 2).item.text == "one two")


def test_a_message_that_was_replaced_is_not_overwritten_by_text_that_was_still_to_be_shown(
    view: ConversationView, qtbot: QtBot
) -> None:
    view.set_items([user(1, "a"), answer(2, "", state="streaming")])
    view.stream(2, "half")
    view.replace(replace(answer(2, "whole"), state="complete"))
    qtbot.wait(60)
    assert message(view, 2).item.text == "whole"


def test_heights_know_where_each_box_starts() -> None:
    heights = Heights()
    heights.reset([10, 20, 30])
    assert [heights.top(n) for n in range(4)] == [0, 10, 30, 60]
    heights.set(0, 15)
    heights.append(5)
    heights.set(3, 7)
    assert (heights.top(3), heights.total) == (65, 72)
    assert [heights.at(y) for y in (-5, 0, 14, 15, 64, 65, 1000)] == [0, 0, 0, 1, 2, 3, 3]
