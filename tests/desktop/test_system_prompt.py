"""The system prompt of a chat, on its way into the store: a full disk takes nothing of it, and a file is its text."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtWidgets import QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from desktop.desk import Desk
from tests.desktop.engines import wait
from tests.desktop.test_desk_drafts import open_in, press, questions, said, shown_chat
from tests.desktop.test_desk_trouble import fill


def test_on_a_full_disk_a_system_prompt_waits_and_quitting_asks_before_it_is_lost(
    qtbot: QtBot, qapp: QApplication, small_disk: Path, opened: list[Desk]
) -> None:
    desk = open_in(small_disk / "data", qapp, opened)
    said(desk, "Hello", "Hi.")
    chat, other = shown_chat(desk), desk.store.new_chat().id
    panel, window = desk.shell.chat_settings(), desk.shell.window
    fill(small_disk / "filler")
    text = "Some words that fill a line.\n" * 1000
    panel.prompt.insertPlainText(text)
    desk.conversation.open(other)
    assert "The disk is full" in window.banner.sentence
    assert panel.prompt.toPlainText() == ""
    desk.conversation.open(chat)
    assert panel.prompt.toPlainText() == text
    window.action("quit").trigger()
    assert window.isVisible()
    (box,) = questions(desk)
    press(box, QMessageBox.ButtonRole.RejectRole)
    (small_disk / "filler").unlink()
    wait(qtbot, lambda: desk.store.chat(chat).system_prompt == text)
    assert window.banner.sentence == ""


def test_what_is_asked_while_a_system_prompt_waits_for_the_disk_and_after_that_is_asked_with_it(
    qtbot: QtBot, qapp: QApplication, small_disk: Path, opened: list[Desk]
) -> None:
    desk = open_in(small_disk / "data", qapp, opened)
    said(desk, "Hello", "Hi.")
    panel = desk.shell.chat_settings()
    fill(small_disk / "filler")
    text = "Some words that fill a line.\n" * 1000
    panel.prompt.insertPlainText(text)
    panel.flush()
    assert desk.store.chat(shown_chat(desk)).system_prompt == ""
    assert desk.conversation.chat is not None
    assert desk.conversation.chat.system_prompt == text
    (small_disk / "filler").unlink()
    wait(qtbot, lambda: desk.store.chat(shown_chat(desk)).system_prompt == text)
    assert desk.conversation.chat.system_prompt == text


def test_a_file_that_is_pasted_into_the_system_prompt_is_its_text(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path, opened: list[Desk]
) -> None:
    desk = open_in(tmp_path / "data", qapp, opened)
    (tmp_path / "a.txt").write_text("text", encoding="utf-8")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / name)) for name in ("a.txt", "gone.txt")])
    panel = desk.shell.chat_settings()
    panel.prompt.insertFromMimeData(data)
    qtbot.keyClick(panel.prompt, Qt.Key.Key_Return)
    panel.flush()
    assert desk.store.chat(shown_chat(desk)).system_prompt == "a.txt\n```txt\ntext\n```\n\n"
    assert "gone.txt cannot be read" in desk.shell.window.banner.sentence
