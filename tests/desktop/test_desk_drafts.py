"""Text of the user's that was not sent yet, in the composer and in editors of messages: nothing takes it unasked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QAbstractButton, QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from desktop.desk import Desk
from desktop.views.conversation.editor import InlineEditor
from tests.desktop.conversation.conftest import editor, message
from tests.desktop.engines import end, new_desk, wait
from tests.desktop.test_desk_trouble import fill


def open_in(folder: Path, qapp: QApplication, opened: list[Desk]) -> Desk:
    desk = new_desk(qapp, folder)
    opened.append(desk)
    desk.chats.open_first()
    return desk


def leave(desk: Desk, opened: list[Desk]) -> None:
    opened.remove(desk)
    end(desk)


def said(desk: Desk, *texts: str) -> list[int]:
    """Ids of messages that are there as if they had been said, the answers too."""
    chat = desk.conversation.chat
    assert chat is not None
    ids: list[int] = []
    for number, text in enumerate(texts):
        parent = ids[-1] if ids else None
        ids.append(desk.store.add(chat.id, parent, "assistant" if number % 2 else "user", text).id)
    desk.conversation.open(chat.id)
    return ids


def shown_chat(desk: Desk) -> int:
    assert desk.conversation.chat is not None
    return desk.conversation.chat.id


@pytest.fixture
def desk(qapp: QApplication, tmp_path: Path, opened: list[Desk]) -> Desk:
    return open_in(tmp_path, qapp, opened)


def begin_edit(desk: Desk, id_: int, text: str) -> InlineEditor:
    message(desk.view, id_).open_editor()
    begun = editor(desk.view, id_)
    begun.field.setPlainText(text)
    return begun


def questions(desk: Desk) -> list[QMessageBox]:
    return [box for box in desk.shell.window.findChildren(QMessageBox) if box.isVisible()]


def press(box: QMessageBox, role: QMessageBox.ButtonRole) -> None:
    button: QAbstractButton = next(button for button in box.buttons() if box.buttonRole(button) == role)
    button.click()


def test_an_edit_under_way_is_there_again_in_its_chat_and_at_the_next_start(
    desk: Desk, qapp: QApplication, tmp_path: Path, opened: list[Desk]
) -> None:
    question, _ = said(desk, "What is the capital of France?", "Paris.")
    chat = shown_chat(desk)
    begin_edit(desk, question, "What is the capital of Spain")
    desk.conversation.open_new()
    assert shown_chat(desk) != chat
    desk.conversation.open(chat)
    assert editor(desk.view, question).text == "What is the capital of Spain"
    editor(desk.view, question).field.insertPlainText("?")
    desk.shell.window.composer.setFocus()
    leave(desk, opened)
    desk = open_in(tmp_path, qapp, opened)
    desk.conversation.open(chat)
    again = editor(desk.view, question)
    assert again.text == "What is the capital of Spain?"
    assert not again.field.hasFocus(), "it was not asked for"


def test_an_editor_that_was_only_opened_is_closed_at_the_next_start(
    desk: Desk, qapp: QApplication, tmp_path: Path, opened: list[Desk]
) -> None:
    question, _ = said(desk, "Hello", "Hi.")
    begin_edit(desk, question, "Hello")
    leave(desk, opened)
    desk = open_in(tmp_path, qapp, opened)
    assert message(desk.view, question).editor is None


def test_escape_on_a_changed_edit_can_be_undone_until_another_chat_is_shown(desk: Desk, qtbot: QtBot) -> None:
    question, _ = said(desk, "Hello", "Hi.")
    chat, banner = shown_chat(desk), desk.shell.window.banner
    written = "Hello, it took long to write this"
    qtbot.keyClick(begin_edit(desk, question, written).field, Qt.Key.Key_Escape)
    assert message(desk.view, question).editor is None
    desk.view.flush_edits()
    assert desk.store.edits(chat) == {}
    assert banner.sentence == "What you changed in the message was discarded."
    banner.button.click()
    assert editor(desk.view, question).text == written
    assert editor(desk.view, question).field.hasFocus()
    qtbot.keyClick(editor(desk.view, question).field, Qt.Key.Key_Escape)
    desk.conversation.open_new()
    assert banner.sentence == ""


def test_a_cancelled_edit_comes_back_after_a_page_was_turned(desk: Desk, qtbot: QtBot) -> None:
    question, answer = said(desk, "Hello", "Hi.")
    other = desk.store.add(shown_chat(desk), None, "user", "Good evening").id
    desk.store.select(question)
    desk.conversation.open(shown_chat(desk))
    qtbot.keyClick(begin_edit(desk, question, "Hello again").field, Qt.Key.Key_Escape)
    desk.conversation.turn_page(question, 1)
    assert [step.message.id for step in desk.conversation.path] == [other]
    desk.shell.window.banner.button.click()
    assert [step.message.id for step in desk.conversation.path] == [question, answer]
    assert editor(desk.view, question).text == "Hello again"
    assert editor(desk.view, question).field.hasFocus()
    desk.conversation.turn_page(question, 1)
    desk.conversation.retry()
    desk.conversation.edit_again(question, "Hello once more")
    assert editor(desk.view, question).text == "Hello once more", "an answer to the other goes on"


def test_escape_on_an_edit_that_changed_nothing_is_no_matter(desk: Desk, qtbot: QtBot) -> None:
    question, _ = said(desk, "Hello", "Hi.")
    qtbot.keyClick(begin_edit(desk, question, "Hello").field, Qt.Key.Key_Escape)
    assert message(desk.view, question).editor is None
    assert desk.shell.window.banner.sentence == ""


def test_up_in_an_empty_composer_changes_what_was_said_last(desk: Desk, qtbot: QtBot) -> None:
    edit = desk.shell.window.composer.edit
    qtbot.keyClick(edit, Qt.Key.Key_Up)  # nothing was said yet
    first, _, last, _ = said(desk, "Hello", "Hi.", "And you?", "I am well.")
    edit.setFocus()
    qtbot.keyClicks(edit, "a")
    qtbot.keyClick(edit, Qt.Key.Key_Up)
    assert message(desk.view, last).editor is None, "in a text it is a key of the text's"
    qtbot.keyClick(edit, Qt.Key.Key_Backspace)
    qtbot.keyClick(edit, Qt.Key.Key_Up)
    assert editor(desk.view, last).text == "And you?"
    assert editor(desk.view, last).field.hasFocus()
    assert message(desk.view, first).editor is None
    editor(desk.view, last).field.insertPlainText(" Well?")
    desk.shell.window.action("edit-last").trigger()
    assert editor(desk.view, last).text == "And you? Well?", "it goes on"


def test_alt_and_arrows_go_from_the_composer_to_the_messages_and_back(desk: Desk, qtbot: QtBot) -> None:
    question, answer = said(desk, "Hello", "Hi.")
    edit, alt = desk.shell.window.composer.edit, Qt.KeyboardModifier.AltModifier
    edit.setFocus()
    for key, where in (
        (Qt.Key.Key_Up, message(desk.view, answer)),
        (Qt.Key.Key_Up, message(desk.view, question)),
        (Qt.Key.Key_Down, message(desk.view, answer)),
        (Qt.Key.Key_Down, edit),
    ):
        qtbot.keyClick(QApplication.focusWidget(), key, alt)
        assert QApplication.focusWidget() is where


def test_files_that_are_dropped_beside_the_composer_are_taken_too(desk: Desk, tmp_path: Path) -> None:
    window = desk.shell.window
    (tmp_path / "a.txt").write_text("text", encoding="utf-8")
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n\0")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / name)) for name in ("a.txt", "photo.png")])
    mouse = (Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    enter = QDragEnterEvent(QPoint(300, 300), *mouse)
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(window, QDropEvent(QPointF(300, 300), *mouse))
    assert window.composer.text() == "a.txt\n```txt\ntext\n```\n"
    assert window.banner.sentence == "photo.png is a picture, and a message is text only."


def test_an_editor_tells_in_the_window_what_it_does_not_take(desk: Desk) -> None:
    question, _ = said(desk, "Hello", "Hi.")
    field = begin_edit(desk, question, "").field
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(__file__), QUrl.fromLocalFile("/gone.txt")])
    field.insertFromMimeData(data)
    assert field.toPlainText().startswith(f"{Path(__file__).name}\n```")
    assert desk.shell.window.banner.sentence == "gone.txt cannot be read: look whether it is there and may be read."


def test_an_edit_that_was_sent_is_under_way_no_longer(desk: Desk, qtbot: QtBot) -> None:
    question, _ = said(desk, "Hello", "Hi.")
    qtbot.keyClick(begin_edit(desk, question, "Good morning").field, Qt.Key.Key_Return)
    assert desk.store.path(shown_chat(desk))[0].message.text == "Good morning"
    desk.conversation.leave()
    assert desk.store.edits(shown_chat(desk)) == {}


def test_the_key_that_sends_is_the_same_in_the_composer_and_in_editors(desk: Desk, qtbot: QtBot) -> None:
    question, _ = said(desk, "Hello", "Hi.")
    desk.shell.change(replace(desk.shell.settings, send_with="ctrl_enter"))
    field = begin_edit(desk, question, "Good morning").field
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert editor(desk.view, question).text == "\nGood morning"
    qtbot.keyClick(field, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert desk.conversation.path[0].message.text.strip() == "Good morning"


def test_on_a_full_disk_an_edit_that_cannot_be_sent_stays(
    qtbot: QtBot, qapp: QApplication, small_disk: Path, opened: list[Desk]
) -> None:
    desk = open_in(small_disk / "data", qapp, opened)
    question, _ = said(desk, "Hello", "Hi.")
    text = "Some words that fill a line.\n" * 1000
    field = begin_edit(desk, question, text).field
    fill(small_disk / "filler")
    with qtbot.captureExceptions():  # which the window's own hook tells
        qtbot.keyClick(field, Qt.Key.Key_Return)
    assert editor(desk.view, question).text == text
    (small_disk / "filler").unlink()
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert desk.store.path(shown_chat(desk))[0].message.text == text


def test_on_a_full_disk_text_that_was_not_sent_waits_while_another_chat_is_read(
    qtbot: QtBot, qapp: QApplication, small_disk: Path, opened: list[Desk]
) -> None:
    desk = open_in(small_disk / "data", qapp, opened)
    said(desk, "Hello", "Hi.")
    chat, composer, banner = shown_chat(desk), desk.shell.window.composer, desk.shell.window.banner
    other = desk.store.new_chat().id
    fill(small_disk / "filler")
    text = "Some words that fill a line.\n" * 1000
    composer.edit.insertPlainText(text)
    desk.conversation.open(other)
    assert "The disk is full" in banner.sentence
    assert composer.text() == ""
    desk.conversation.open(chat)
    assert composer.text() == text
    (small_disk / "filler").unlink()
    wait(qtbot, lambda: desk.store.chat(chat).draft == text)
    assert banner.sentence == ""


def test_on_a_full_disk_quitting_asks_before_text_is_lost(
    qtbot: QtBot, qapp: QApplication, small_disk: Path, opened: list[Desk]
) -> None:
    desk = open_in(small_disk / "data", qapp, opened)
    window = desk.shell.window
    fill(small_disk / "filler")
    text = "Some words that fill a line.\n" * 1000
    window.composer.edit.insertPlainText(text)
    window.action("quit").trigger()
    (box,) = questions(desk)
    assert "The disk is full" in box.informativeText()
    press(box, QMessageBox.ButtonRole.RejectRole)
    assert window.isVisible()
    assert window.composer.text() == text
    window.close()
    press(questions(desk)[-1], QMessageBox.ButtonRole.AcceptRole)
    assert not window.isVisible()


def send_on_a_full_disk(qtbot: QtBot, desk: Desk, filler: Path) -> str:
    """Text that is written and sent before it was kept as a draft, and is in the composer still."""
    fill(filler)
    composer, text = desk.shell.window.composer, "Some words that fill a line.\n" * 1000
    composer.edit.insertPlainText(text)
    with qtbot.captureExceptions():  # which the window's own hook tells
        qtbot.keyClick(composer.edit, Qt.Key.Key_Return)
    assert composer.text() == text
    return text


def test_on_a_full_disk_text_that_was_sent_at_once_waits_while_another_chat_is_read(
    qtbot: QtBot, qapp: QApplication, small_disk: Path, opened: list[Desk]
) -> None:
    desk = open_in(small_disk / "data", qapp, opened)
    said(desk, "Hello", "Hi.")
    chat, other = shown_chat(desk), desk.store.new_chat().id
    text = send_on_a_full_disk(qtbot, desk, small_disk / "filler")
    desk.conversation.open(other)
    assert desk.shell.window.composer.text() == ""
    desk.conversation.open(chat)
    assert desk.shell.window.composer.text() == text


def test_on_a_full_disk_quitting_asks_before_text_that_was_sent_at_once_is_lost(
    qtbot: QtBot, qapp: QApplication, small_disk: Path, opened: list[Desk]
) -> None:
    desk = open_in(small_disk / "data", qapp, opened)
    said(desk, "Hello", "Hi.")
    send_on_a_full_disk(qtbot, desk, small_disk / "filler")
    desk.shell.window.close()
    assert desk.shell.window.isVisible()
    assert len(questions(desk)) == 1


def test_where_the_disk_has_room_again_quitting_asks_nothing_and_keeps_the_text(
    qapp: QApplication, small_disk: Path, opened: list[Desk]
) -> None:
    desk = open_in(small_disk / "data", qapp, opened)
    chat, window = shown_chat(desk), desk.shell.window
    fill(small_disk / "filler")
    text = "Some words that fill a line.\n" * 1000
    window.composer.edit.insertPlainText(text)
    window.composer.flush()
    assert desk.conversation.drafts.unkept
    (small_disk / "filler").unlink()
    window.close()
    assert not window.isVisible()
    assert desk.store.chat(chat).draft == text


def test_text_that_is_typed_while_no_chat_is_shown_is_the_draft_of_a_new_one_and_stays_in_sight(
    qapp: QApplication, tmp_path: Path, opened: list[Desk]
) -> None:
    desk = new_desk(qapp, tmp_path)
    opened.append(desk)
    assert desk.conversation.chat is None
    composer = desk.shell.window.composer
    composer.edit.insertPlainText("Hello")
    composer.flush()
    assert composer.text() == "Hello"
    assert desk.store.chat(shown_chat(desk)).draft == "Hello"


def test_a_composer_that_is_left_empty_while_no_chat_is_shown_begins_none(
    qapp: QApplication, tmp_path: Path, opened: list[Desk]
) -> None:
    desk = new_desk(qapp, tmp_path)
    opened.append(desk)
    composer = desk.shell.window.composer
    composer.edit.insertPlainText("a")
    composer.edit.clear()
    composer.flush()
    assert desk.conversation.chat is None
    assert desk.store.chats() == []
