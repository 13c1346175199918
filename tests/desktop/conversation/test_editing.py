"""A message of one's own that is changed in its place."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.settings import Settings
from desktop.views.conversation.view import ConversationView
from desktop.views.theme import theme
from tests.desktop.conversation.conftest import button, chat, editor, message, user


def test_an_edit_is_sent_with_its_message(short: ConversationView, qtbot: QtBot) -> None:
    button(short, 1, "Edit message").click()
    field = editor(short, 1).field
    assert field.hasFocus()
    assert field.toPlainText() == "Question"
    qtbot.keyClicks(field, " more")
    qtbot.keyClick(field, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClicks(field, "line")
    with qtbot.waitSignal(short.editRequested) as signal:
        qtbot.keyClick(field, Qt.Key.Key_Return)
    assert signal.args == [1, "Question more\nline"]
    assert editor(short, 1).text == "Question more\nline", "until it was kept"
    short.close_editor(1)
    assert message(short, 1).editor is None


def test_an_editor_sends_with_the_key_that_was_chosen(short: ConversationView, qtbot: QtBot) -> None:
    button(short, 1, "Edit message").click()
    short.set_send_with("ctrl_enter")
    field = editor(short, 1).field
    with qtbot.assertNotEmitted(short.editRequested):
        qtbot.keyClick(field, Qt.Key.Key_Return)
        qtbot.keyClicks(field, "line")
    with qtbot.waitSignal(short.editRequested) as signal:
        qtbot.keyClick(field, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert signal.args == [1, "Question\nline"]
    short.set_items([user(7, "Other chat")])
    button(short, 7, "Edit message").click()
    with qtbot.assertNotEmitted(short.editRequested):
        qtbot.keyClick(editor(short, 7).field, Qt.Key.Key_Return)


def test_escape_cancels_an_edit_and_the_focus_stays(short: ConversationView, qtbot: QtBot) -> None:
    button(short, 1, "Edit message").click()
    qtbot.keyClick(editor(short, 1).field, Qt.Key.Key_Escape)
    assert message(short, 1).editor is None
    assert message(short, 1).body.isVisible()
    assert message(short, 1).hasFocus()


@pytest.mark.parametrize("lines", [2, 3, 12])
def test_a_message_of_up_to_twelve_lines_is_all_in_sight_while_it_is_edited(
    short: ConversationView, lines: int
) -> None:
    short.window().resize(700, 900)
    button(short, 1, "Edit message").click()
    field = editor(short, 1).field
    field.setPlainText("\n".join("line" for _ in range(lines)))
    QApplication.processEvents()
    assert field.verticalScrollBar().maximum() == 0


def test_nothing_empty_is_sent(short: ConversationView, qtbot: QtBot) -> None:
    button(short, 1, "Edit message").click()
    opened = editor(short, 1)
    opened.field.setPlainText("  \n")
    assert not opened.send.isEnabled()
    with qtbot.assertNotEmitted(short.editRequested):
        qtbot.keyClick(opened.field, Qt.Key.Key_Return)


def test_an_edit_that_was_not_sent_is_there_again_when_its_chat_is(short: ConversationView) -> None:
    items = list(short.list.items)
    button(short, 1, "Edit message").click()
    editor(short, 1).field.setPlainText("Half a thought")
    short.set_items([user(7, "Other chat")])
    short.set_items(items)
    assert editor(short, 1).text == "Half a thought"


@pytest.mark.parametrize("percent", [100, 200])
def test_the_way_to_the_newest_message_lies_over_no_button_of_an_editor(
    application: QApplication, view: ConversationView, percent: int
) -> None:
    theme().apply(replace(Settings(), text_size=percent))
    view.window().resize(480, 480)
    view.set_items(chat(30))
    view.open_editor(15)
    QApplication.processEvents()
    bar, seen = view.list.verticalScrollBar(), set()
    view.list.scroll_by(-400)
    for _ in range(60):
        view.list.scroll_by(10)
        QApplication.processEvents()
        opened = editor(view, 15)
        boxes = [QRect(button.mapTo(view, QPoint(0, 0)), button.size()) for button in (opened.send, opened.cancel)]
        assert not (view.newest.isVisible() and any(map(view.newest.geometry().intersects, boxes)))
        seen.add(view.newest.isVisible())
    assert bar.value() < bar.maximum()
    assert True in seen
    assert percent == 100 or False in seen, "there it would lie over them"


@pytest.mark.parametrize("width", [280, 336, 480, 800])
def test_no_button_of_an_editor_is_cut_where_text_is_large(
    application: QApplication, view: ConversationView, width: int
) -> None:
    theme().apply(replace(Settings(), text_size=200))
    view.window().resize(width, 600)
    view.set_items([user(1, "Hello")])
    view.open_editor(1)
    QApplication.processEvents()
    opened = editor(view, 1)
    boxes = [button.geometry() for button in (opened.send, opened.cancel)]
    assert all(opened.rect().contains(box) for box in boxes)
    assert not boxes[0].intersects(boxes[1])
    assert (boxes[0].y() == boxes[1].y()) == (width > 400)
