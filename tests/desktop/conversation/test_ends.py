"""Answers that ended in nothing or in an error: what is said of them, and what can be done."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from desktop.store.records import MessageState
from desktop.views.conversation.view import ConversationView
from tests.desktop.conversation.conftest import answer, figures, hover, message, user
from tests.desktop.conversation.test_actions import notice, offered


def test_an_answer_of_nothing_says_so_and_can_be_asked_for_again(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items([user(1, "a"), answer(2, "\n", figures=figures())])
    shown = notice(view, 2)
    assert shown.label.text() == "The model had nothing to say."
    assert shown.button is not None
    assert shown.button.text() == "Try again"
    with qtbot.waitSignal(view.regenerateRequested) as emitted:
        shown.button.click()
    assert emitted.args == [2]


@pytest.mark.parametrize("state", ["interrupted", "failed"])
def test_a_last_answer_that_broke_off_can_be_continued_or_written_anew(
    view: ConversationView, state: MessageState
) -> None:
    view.set_items([user(1, "a"), answer(2, "half", state=state)])
    hover(message(view, 2))
    assert {"Continue this answer", "Write another answer"} <= set(offered(view, 2))
