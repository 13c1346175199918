"""What a model thought before its answer: said while it thinks, shown when it is asked for, no part of the answer."""

from __future__ import annotations

from functools import partial

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QApplication, QPlainTextEdit, QPushButton
from pytestqt.qtbot import QtBot

from desktop.views.conversation.thoughts import Thoughts
from desktop.views.conversation.view import ConversationView
from tests.desktop.conversation.conftest import Window, answer, button, message, user
from tests.desktop.conversation.test_actions import notice, words
from tests.desktop.engines import wait

LONG = "\n\n".join(f"Thought {number}: what if the answer were {number}?" for number in range(400))


def thoughts(view: ConversationView, number: int) -> Thoughts:
    found = message(view, number).thoughts
    assert found is not None
    return found


def opened(shown: Thoughts) -> QPlainTextEdit:
    shown.button.click()
    (field,) = shown.findChildren(QPlainTextEdit)
    return field


@pytest.fixture
def thinking(view: ConversationView, qtbot: QtBot) -> ConversationView:
    """An answer is on its way, and its model thinks."""
    view.set_items([user(1, "How many?"), answer(2, "", state="streaming")])
    view.show_pending(2, "Reading the conversation…")
    assert message(view, 2).thoughts is None
    view.stream(2, "", "Let me count.", 7)
    wait(qtbot, lambda: message(view, 2).thoughts is not None)
    return view


def test_that_a_model_thinks_and_for_how_long_is_said_until_it_answers(
    thinking: ConversationView, qtbot: QtBot
) -> None:
    shown = thoughts(thinking, 2)
    assert shown.isVisible()
    assert shown.button.text() == "Thinking… 7 s"
    assert "Reading" not in words(thinking, 2)
    thinking.show_pending(2, "Reading the conversation…")
    assert "Reading" not in words(thinking, 2)
    thinking.stream(2, "Three.", "Let me count.")
    wait(qtbot, lambda: shown.button.text() == "Thoughts")
    assert message(thinking, 2).body.segments
    thinking.stream(2, "Three.", "Let me count. Or four?", 0)
    wait(qtbot, lambda: shown.button.text() == "Thinking… 0 s")
    thinking.replace(answer(2, "Three.", reasoning="Let me count. Or four?"))
    assert shown.button.text() == "Thoughts"


def test_thoughts_are_closed_until_they_are_opened_and_then_grow_in_sight(
    thinking: ConversationView, qtbot: QtBot
) -> None:
    shown, height = thoughts(thinking, 2), message(thinking, 2).height()
    assert not shown.findChildren(QPlainTextEdit)
    assert not shown.button.isChecked()
    field = opened(shown)
    assert field.isVisible()
    assert field.toPlainText() == "Let me count."
    assert field.isReadOnly()
    assert message(thinking, 2).height() > height
    thinking.stream(2, "", "Let me count.\n\nOne, two.", 8)
    wait(qtbot, lambda: field.toPlainText() == "Let me count.\n\nOne, two.")
    thinking.replace(answer(2, "Two.", reasoning="Only two."))
    assert field.toPlainText() == "Only two."
    shown.button.click()
    assert not field.isVisible()


def test_whatever_signs_they_hold_thoughts_stay_where_they_are_read_and_marked_as_they_grow(
    view: ConversationView, qtbot: QtBot
) -> None:
    long = LONG.replace(": what", "\u00a0: what").replace("\n\n", "\r\n", 1)
    view.set_items([user(1, "How many?"), answer(2, "", state="streaming", reasoning=long)])
    field = opened(thoughts(view, 2))
    cursor = field.textCursor()
    cursor.select(QTextCursor.SelectionType.WordUnderCursor)
    field.setTextCursor(cursor)
    bar = field.verticalScrollBar()
    bar.setValue(3)
    view.stream(2, "", long + "\n\nWell.", 8)
    wait(qtbot, lambda: field.toPlainText().endswith("\n\nWell."))
    assert bar.value() == 3
    assert field.textCursor().selectedText() == "Thought"
    view.replace(answer(2, "Three.", reasoning=long + "\n\nWell."))
    assert field.textCursor().selectedText() == "Thought"


def test_long_thoughts_scroll_within_and_their_end_is_followed(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items([user(1, "How many?"), answer(2, "", state="streaming", reasoning=LONG)])
    field = opened(thoughts(view, 2))
    assert field.height() < view.height()
    bar = field.verticalScrollBar()
    assert (bar.value(), bar.maximum() > 100) == (0, True)
    bar.setValue(bar.maximum())
    view.stream(2, "", LONG + LONG, 8)
    wait(qtbot, lambda: bar.maximum() > 1000)
    assert bar.value() == bar.maximum()
    bar.setValue(3)
    view.stream(2, "", LONG + LONG + LONG, 8)
    wait(qtbot, lambda: bar.maximum() > 1600)
    assert bar.value() == 3


@pytest.mark.parametrize("blank", ["\u00a0", "\u2028", "\r\n", " "])
def test_whoever_reads_thoughts_stays_where_they_read_while_more_comes(
    view: ConversationView, qtbot: QtBot, blank: str
) -> None:
    text = LONG.replace(" ", blank)
    view.set_items([user(1, "How many?"), answer(2, "", state="streaming", reasoning=text)])
    field = opened(thoughts(view, 2))
    bar = field.verticalScrollBar()
    before = bar.maximum()
    bar.setValue(5)
    view.stream(2, "", text + text, 8)
    wait(qtbot, lambda: bar.maximum() > before)
    assert bar.value() == 5


def holds(field: QPlainTextEdit, text: str) -> bool:
    return field.toPlainText().replace("\n", "") == text


@pytest.mark.parametrize("piece", ["a word ", "没有空格", "x"])
def test_no_paragraph_of_thoughts_is_so_long_that_laying_it_out_holds_up_the_window(
    view: ConversationView, qtbot: QtBot, piece: str
) -> None:
    view.set_items([user(1, "How many?"), answer(2, "", state="streaming", reasoning=piece * 9000)])
    field = opened(thoughts(view, 2))
    for count in (12_000, 15_000, 18_000):
        view.stream(2, "", piece * count, 8)
        wait(qtbot, partial(holds, field, piece * count))
    lines = field.toPlainText().split("\n")
    assert max(map(len, lines)) <= 4000
    assert all(line.endswith(" ") for line in lines if " " in line), "broken between words"


def test_thoughts_are_as_high_as_they_are_and_cover_nothing(view: ConversationView) -> None:
    view.set_items([user(1, "How many?"), answer(2, "Three.", reasoning="One\nTwo\nThree")])
    shown, body = thoughts(view, 2), message(view, 2).body
    field = opened(shown)
    assert field.verticalScrollBar().maximum() == 0
    assert shown.geometry().bottom() < body.y()
    assert field.geometry().top() >= shown.button.geometry().bottom()
    assert shown.rect().contains(field.geometry())


def test_tab_comes_to_the_thoughts_and_a_screen_reader_hears_what_they_are(window: Window, qtbot: QtBot) -> None:
    view = window.view
    view.set_items([user(1, "How many?"), answer(2, "Three.", reasoning="Let me count.")])
    message(view, 2).setFocus(Qt.FocusReason.TabFocusReason)
    shown = thoughts(view, 2)
    qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
    assert QApplication.focusWidget() is shown.button
    assert shown.button.accessibleDescription() == "Show what the model thought"
    qtbot.keyClick(shown.button, Qt.Key.Key_Space)
    assert shown.button.isChecked()
    assert shown.button.accessibleDescription() == "Hide what the model thought"
    assert QApplication.focusWidget() is shown.button
    qtbot.keyClick(shown.button, Qt.Key.Key_Tab)
    assert shown.text is not None
    assert QApplication.focusWidget() is shown.text
    assert shown.text.accessibleName() == "Thoughts"
    qtbot.keyClick(shown.text, Qt.Key.Key_Tab)
    assert QApplication.focusWidget() in message(view, 2).footer.stops()
    assert message(view, 2).accessibleName() == "Falcon: Three."


def test_copies_and_finding_leave_thoughts_out(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items([user(1, "How many?"), answer(2, "Three.", reasoning="Let me count.")])
    with qtbot.waitSignal(view.copyRequested) as copied:
        button(view, 2, "Copy message").click()
    assert copied.args == ["Three."]
    assert view.find_text("count") == 0


def test_a_model_that_thought_and_gave_no_answer_is_told(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items([user(1, "How many?"), answer(2, "", reasoning="Let me count.")])
    shown = notice(view, 2)
    assert shown.label.text() == "The model thought, but gave no answer."
    assert isinstance(shown.button, QPushButton)
    with qtbot.waitSignal(view.regenerateRequested):
        shown.button.click()
