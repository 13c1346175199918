"""What can be done with a message, with the pointer and by keys."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtWidgets import QApplication, QLabel, QToolButton
from pytestqt.qtbot import QtBot

from desktop.store.records import Dropped, MessageState
from desktop.views.conversation.controls import Notice
from desktop.views.conversation.prose import Prose
from desktop.views.conversation.view import ConversationView
from tests.desktop.conversation.conftest import (
    Window,
    answer,
    asked,
    button,
    chat,
    figures,
    hover,
    message,
    texts,
    user,
)
from tests.desktop.engines import wait


def offered(view: ConversationView, number: int) -> list[str]:
    found = [b for b in message(view, number).footer.findChildren(QToolButton) if b.isVisible()]
    return sorted(b.accessibleName() for b in found)


def notice(view: ConversationView, number: int) -> Notice:
    """The sentence below an answer that did not end."""
    return next(found for found in message(view, number).findChildren(Notice) if found.isVisible())


def words(view: ConversationView, number: int) -> str:
    """All small print of a message that is in sight."""
    return " | ".join(
        label.text() for label in message(view, number).findChildren(QLabel) if label.isVisible() and label.text()
    )


def test_actions_appear_on_hover_and_go(short: ConversationView) -> None:
    assert offered(short, 1) == []
    hover(message(short, 1))
    assert offered(short, 1) == ["Copy message", "Edit message"]
    QApplication.sendEvent(message(short, 1), QEvent(QEvent.Type.Leave))
    assert offered(short, 1) == []


def test_actions_appear_on_focus_and_move_nothing(short: ConversationView) -> None:
    before = message(short, 2).geometry()
    message(short, 2).setFocus(Qt.FocusReason.TabFocusReason)
    assert "Write another answer" in offered(short, 2)
    assert message(short, 2).geometry() == before


def test_each_action_says_which_message_it_means(short: ConversationView, qtbot: QtBot) -> None:
    with qtbot.waitSignal(short.regenerateRequested) as regenerate:
        button(short, 2, "Write another answer").click()
    with qtbot.waitSignal(short.alternativeRequested) as alternative:
        button(short, 2, "Previous version").click()
    with qtbot.waitSignal(short.copyRequested) as copied:
        button(short, 2, "Copy message").click()
    assert (regenerate.args, alternative.args, copied.args) == ([2], [2, -1], ["Answer"])


def test_the_pager_ends_at_both_ends(view: ConversationView) -> None:
    view.set_items([user(1, "a", index=0, count=2), answer(2, "b", index=2, count=3)])
    assert not button(view, 1, "Previous version").isEnabled()
    assert button(view, 1, "Next version").isEnabled()
    assert not button(view, 2, "Next version").isEnabled()
    assert "1/2" in words(view, 1)
    assert "3/3" in words(view, 2)


def test_nothing_but_copying_is_possible_while_an_answer_is_written(short: ConversationView) -> None:
    short.set_busy(True)
    assert not button(short, 2, "Write another answer").isEnabled()
    assert not button(short, 2, "Previous version").isEnabled()
    assert not button(short, 1, "Edit message").isEnabled()
    assert button(short, 2, "Copy message").isEnabled()
    short.set_busy(False)
    assert button(short, 2, "Write another answer").isEnabled()


@pytest.mark.parametrize(
    ("reason", "said"),
    [("length", "limit of tokens"), ("context", "context is full"), ("cancelled", "stopped by you")],
)
def test_an_answer_that_was_cut_says_why_and_can_go_on(
    view: ConversationView, qtbot: QtBot, reason: str, said: str
) -> None:
    view.set_items([user(1, "a"), answer(2, "b", figures=figures(reason))])
    assert said in words(view, 2)
    with qtbot.waitSignal(view.continueRequested) as signal:
        button(view, 2, "Continue this answer").click()
    assert signal.args == [2]


def test_an_answer_that_ended_by_itself_shows_its_figures_and_no_reason(short: ConversationView) -> None:
    assert "12.5 tokens/s" in words(short, 2)
    assert "0.25 s" in words(short, 2)
    assert "stop" not in words(short, 2)
    assert "Continue this answer" not in offered(short, 2)


def test_only_the_last_answer_goes_on(view: ConversationView) -> None:
    view.set_items([user(1, "a"), answer(2, "b", figures=figures("length"))])
    view.append(user(3, "c"))
    hover(message(view, 2))
    assert "Continue this answer" not in offered(view, 2)


@pytest.mark.parametrize(
    ("state", "text", "signal", "label"),
    [
        ("interrupted", "half", "continueRequested", "Continue"),
        ("interrupted", "", "regenerateRequested", "Try again"),
        ("failed", "", "regenerateRequested", "Try again"),
        ("failed", "half", "continueRequested", "Continue"),
    ],
)
def test_an_answer_that_did_not_end_says_so_and_what_can_be_done(
    view: ConversationView, qtbot: QtBot, state: MessageState, text: str, signal: str, label: str
) -> None:
    view.set_items([user(1, "a"), answer(2, text, state=state, error="The engine has stopped.")])
    shown = notice(view, 2)
    assert shown.label.text() == "The engine has stopped."
    assert shown.button is not None
    assert shown.button.text() == label
    with qtbot.waitSignal(getattr(view, signal)) as emitted:
        shown.button.click()
    assert emitted.args == [2]


@pytest.mark.parametrize(("state", "text"), [("interrupted", "half"), ("failed", "")])
def test_what_is_said_of_an_answer_keeps_its_place_while_another_is_written(
    view: ConversationView, state: MessageState, text: str
) -> None:
    view.set_items([user(1, "a"), answer(2, text, state=state, error="The engine has stopped.")])
    shown = notice(view, 2)
    before = shown.geometry()
    assert shown.button is not None
    view.append(user(3, "b"))
    view.append(answer(4, "", state="streaming"))
    view.set_busy(True)
    assert notice(view, 2).geometry() == before
    assert not shown.button.isEnabled()
    view.set_busy(False)
    assert notice(view, 2).geometry() == before
    assert shown.button.isEnabled()


def test_where_there_is_little_room_the_button_stands_below_what_is_said(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items([user(1, "a"), answer(2, "", state="failed", error="The engine has stopped, as it does at times.")])
    shown = notice(view, 2)
    assert shown.button is not None
    assert shown.button.geometry().left() > shown.label.geometry().right()
    view.window().resize(300, 500)
    wait(qtbot, lambda: shown.button is not None and shown.button.geometry().top() > shown.label.geometry().bottom())
    assert shown.label.width() > shown.button.width()
    assert shown.rect().contains(shown.button.geometry())


def test_turns_that_were_left_out_are_named(view: ConversationView) -> None:
    view.set_items([user(1, "a"), answer(2, "b", dropped=Dropped(policy="window", messages=3, tokens=500))])
    assert "3 earlier" in words(view, 2)


def test_an_answer_that_waits_says_for_what(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items([user(1, "a"), answer(2, "", state="streaming")])
    view.show_pending(2, "Loading falcon-7b… 12 s")
    assert "Loading falcon-7b… 12 s" in words(view, 2)
    view.stream(2, "Hello")
    wait(qtbot, lambda: "Loading" not in words(view, 2))


def test_an_engine_that_is_gone_can_be_restarted_from_the_answer_that_waits(
    view: ConversationView, qtbot: QtBot
) -> None:
    view.set_items([user(1, "a"), answer(2, "", state="streaming")])
    view.show_pending(2, "The engine has stopped.", restart=True)
    with qtbot.waitSignal(view.restartRequested):
        button = notice(view, 2).button
        assert button is not None
        button.click()


# keys


def test_tab_goes_through_a_message_and_what_is_in_it_and_out(window: Window, qtbot: QtBot) -> None:
    view = window.view
    view.set_items([user(1, "Question"), answer(2, "See [this](https://example.com/).\n\n```py\nx\n```")])
    window.before.setFocus()
    seen = []
    for _ in range(12):
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        focus = QApplication.focusWidget()
        assert focus is not None
        if focus is window.after:
            break
        seen.append(focus.accessibleName() or type(focus).__name__)
        if isinstance(focus, Prose):
            qtbot.keyClick(focus, Qt.Key.Key_Return)
            assert asked(view).address.toPlainText() == "https://example.com/"
            asked(view).reject()
            focus.setFocus()
    assert seen == [
        "Falcon: See this.\nx", "Prose", "Copy code", "Copy message", "Write another answer",
    ]  # fmt: skip
    assert window.after.hasFocus()


def test_shift_tab_goes_back_through_every_message(window: Window, qtbot: QtBot) -> None:
    window.view.set_items([user(1, "Question"), answer(2, "Answer")])
    window.after.setFocus()
    seen = []
    for _ in range(9):
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Backtab)
        focus = QApplication.focusWidget()
        assert focus is not None
        if focus is window.before:
            break
        seen.append(focus.accessibleName())
    assert seen == [
        "Write another answer", "Copy message", "Falcon: Answer", "Edit message", "Copy message", "You: Question",
    ]  # fmt: skip
    assert window.before.hasFocus()


def test_tab_reaches_messages_that_have_no_widget_yet(window: Window, qtbot: QtBot) -> None:
    window.view.set_items(chat(40))
    message(window.view, 40).setFocus(Qt.FocusReason.TabFocusReason)
    for _ in range(20):
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    widget = message(window.view, 20)
    assert widget.hasFocus()
    assert widget.visibleRegion().boundingRect().height() > 20


def test_the_focus_stays_on_the_pager_when_another_version_comes(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items([user(1, "q"), answer(2, "one", index=0, count=3)])
    message(view, 2).setFocus(Qt.FocusReason.TabFocusReason)
    button(view, 2, "Next version").setFocus(Qt.FocusReason.TabFocusReason)
    view.set_items([user(1, "q"), answer(3, "two", index=1, count=3)])
    assert QApplication.focusWidget() is button(view, 3, "Next version")


def test_the_focus_stays_on_the_message_when_its_notice_goes(view: ConversationView) -> None:
    view.set_items([user(1, "a"), answer(2, "half", state="interrupted")])
    go_on = notice(view, 2).button
    assert go_on is not None
    go_on.setFocus(Qt.FocusReason.TabFocusReason)
    view.replace(answer(2, "half", state="streaming"))
    assert message(view, 2).hasFocus()


def test_keys_scroll(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items(chat(40))
    bar = view.list.verticalScrollBar()
    message(view, 40).setFocus(Qt.FocusReason.TabFocusReason)
    for key, back in ((Qt.Key.Key_Up, Qt.Key.Key_Down), (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)):
        distance = bar.maximum() - bar.value()
        qtbot.keyClick(QApplication.focusWidget(), key)
        assert bar.maximum() - bar.value() > distance
        qtbot.keyClick(QApplication.focusWidget(), back)
        assert bar.maximum() - bar.value() == distance


def test_a_message_that_has_the_focus_keeps_it_out_of_sight(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items(chat(80))
    message(view, 80).setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Home)
    assert message(view, 80).hasFocus()


def test_enter_goes_into_the_text_and_escape_out(short: ConversationView, qtbot: QtBot) -> None:
    message(short, 2).setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.keyClick(message(short, 2), Qt.Key.Key_Return)
    text = QApplication.focusWidget()
    assert text is texts(short, 2)[0]
    qtbot.keyClick(text, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert message(short, 2).body.selected_text() == "A"
    qtbot.keyClick(text, Qt.Key.Key_Escape)
    assert message(short, 2).hasFocus()


# copying


def test_copy_takes_the_selection_or_the_whole_message(short: ConversationView, qtbot: QtBot) -> None:
    widget = message(short, 2)
    widget.setFocus(Qt.FocusReason.TabFocusReason)
    with qtbot.waitSignal(short.copyRequested) as whole:
        qtbot.keyClick(widget, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    viewport = texts(short, 2)[0].viewport()
    qtbot.mouseDClick(viewport, Qt.MouseButton.LeftButton, pos=QPoint(5, 8))
    qtbot.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=QPoint(5, 8))
    with qtbot.waitSignal(short.copyRequested) as part:
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert (whole.args, part.args) == (["Answer"], ["Answer"])


def test_a_selection_goes_on_over_code_and_tables(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items([user(1, "q"), answer(2, "one two\n\n```py\nx = 1\ny = 2\n```\n\n- three\n- four")])
    first, _, last = texts(view, 2)
    qtbot.mousePress(first.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(0, 4))
    inside = last.viewport().mapToGlobal(QPoint(last.width() - 1, last.height() - 4))
    qtbot.mouseMove(first.viewport(), first.viewport().mapFromGlobal(inside))
    qtbot.mouseRelease(first.viewport(), Qt.MouseButton.LeftButton, pos=first.viewport().mapFromGlobal(inside))
    assert message(view, 2).body.selected_text() == "one two\n\nx = 1\ny = 2\n\n• three\n• four"


def test_a_selection_elsewhere_ends_the_one_before(short: ConversationView, qtbot: QtBot) -> None:
    message(short, 2).body.select_all()
    qtbot.mouseClick(texts(short, 1)[0].viewport(), Qt.MouseButton.LeftButton, pos=QPoint(4, 4))
    assert message(short, 2).body.selected_text() == ""


def test_code_is_copied_as_it_was_written(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items([user(1, "q"), answer(2, "```py\n\tx = 1\n\n    y\n```")])
    with qtbot.waitSignal(view.copyRequested) as signal:
        button(view, 2, "Copy code").click()
    assert signal.args == ["\tx = 1\n\n    y"]


def test_a_changed_message_keeps_its_id_and_its_actions(short: ConversationView, qtbot: QtBot) -> None:
    short.replace(replace(short.list.items[1], text="Better", index=2))
    with qtbot.waitSignal(short.copyRequested) as signal:
        button(short, 2, "Copy message").click()
    assert signal.args == ["Better"]
