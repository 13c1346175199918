"""The whole window where disks, files and the store are not as they should be."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.controllers import answers
from desktop.desk import Desk
from desktop.engine.events import AnswerProgress
from desktop.settings import Settings, SettingsFile
from desktop.shell import Shell
from desktop.store.store import Store
from desktop.views.banner import Banner
from runtime import GenerationOptions
from tests.desktop.engines import wait


def fill(file: Path) -> None:
    """Take all the room that is left."""
    with file.open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(4096))


def open_in(folder: Path, qapp: QApplication, opened: list[Desk]) -> Desk:
    shell = Shell(qapp, folder)
    shell.change(replace(shell.settings, language="en"))
    desk = Desk(shell, folder)
    opened.append(desk)
    shell.window.show()
    return desk


def test_a_lasting_sentence_comes_back_from_behind_a_later_one(qtbot: QtBot) -> None:
    banner = Banner()
    qtbot.addWidget(banner)
    acts: list[str] = []
    banner.show_notice("A file was rescued.", lasting=True)
    banner.show_notice("The engine stopped.", button="Restart", action=lambda: acts.append("restart"), lasting=True)
    banner.show_notice("One chat was imported.", well=True)
    banner.show_notice("Two chats were imported.", well=True)
    assert banner.sentence == "Two chats were imported."
    banner.close_button.click()
    assert banner.sentence == "The engine stopped."
    banner.button.click()
    assert acts == ["restart"]
    assert banner.sentence == "A file was rescued."
    assert not banner.button.isVisibleTo(banner)
    banner.show_notice("The disk is full.", lasting=True)
    banner.withdraw("A file was rescued.")
    assert banner.sentence == "The disk is full."
    banner.withdraw("The disk is full.")
    assert banner.sentence == ""


def test_damaged_settings_and_chats_are_both_told_and_what_was_said_is_there(
    qtbot: QtBot, qapp: QApplication, tiny: Path, tmp_path: Path, opened: list[Desk]
) -> None:
    store = Store.open(tmp_path)
    chat = store.new_chat()
    store.add(chat.id, None, "user", "What was said before.")
    store.close()
    file = tmp_path / "chats.sqlite3"
    content = bytearray(file.read_bytes())
    content[:100] = bytes(100)
    file.write_bytes(content)
    (tmp_path / "settings.json").write_text("{", encoding="utf-8")
    desk = open_in(tmp_path, qapp, opened)
    desk.begin()
    told = []
    banner = desk.shell.window.banner
    while banner.sentence:
        told.append(banner.sentence)
        banner.dismiss()
    assert any("settings" in sentence for sentence in told), told
    assert any("chats-damaged" in sentence for sentence in told), told
    texts = [step.message.text for found in desk.store.chats() for step in desk.store.path(found.id)]
    assert "What was said before." in texts


def test_on_a_full_disk_what_was_typed_stays_and_is_sent_once_there_is_room(
    qtbot: QtBot, qapp: QApplication, small_disk: Path, opened: list[Desk]
) -> None:
    desk = open_in(small_disk / "data", qapp, opened)
    desk.chats.open_first()
    assert desk.conversation.chat is not None
    chat = desk.conversation.chat.id
    filler = small_disk / "filler"
    fill(filler)
    text = "Some words that fill a line.\n" * 1000 + "The end."
    composer = desk.shell.window.composer
    composer.edit.setPlainText(text)
    with qtbot.captureExceptions():  # which the window's own hook tells
        qtbot.keyClick(composer.edit, Qt.Key.Key_Return)
    assert composer.text() == text
    assert desk.store.path(chat) == []
    filler.unlink()
    qtbot.keyClick(composer.edit, Qt.Key.Key_Return)
    assert desk.store.path(chat)[0].message.text == text
    assert composer.text() == ""


def test_a_full_disk_is_told_once_however_often_it_refuses_answers(
    qtbot: QtBot, qapp: QApplication, small_disk: Path, opened: list[Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "KEEP_SECONDS", 0.01)
    desk = open_in(small_disk / "data", qapp, opened)
    chat = desk.store.new_chat().id
    messages = [desk.store.add(chat, None, "assistant", "", state="streaming") for _ in range(2)]
    told: list[str] = []
    desk.answers.troubled.connect(told.append)
    fill(small_disk / "filler")
    for message, text in zip(messages, ("Some words that fill a line.\n" * 1000, ""), strict=True):
        desk.answers.ask(message, [], GenerationOptions())
        desk.host.progressed.emit(AnswerProgress(request=message.id, text=text))
    wait(qtbot, lambda: bool(told))
    qtbot.wait(200)  # twenty times more
    assert len(told) == 1
    assert "The disk is full" in told[0]
    (small_disk / "filler").unlink()
    wait(qtbot, lambda: len(told) > 1)
    assert told[1:] == [""]


def test_files_that_cannot_be_read_keep_no_other_out(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path, opened: list[Desk]
) -> None:
    desk = open_in(tmp_path / "data", qapp, opened)
    desk.chats.open_first()
    chat = desk.store.new_chat().id
    desk.store.add(chat, None, "user", "Hello")
    desk.transfer.export([chat], tmp_path / "good.json")
    (tmp_path / "bad.json").write_text("{}", encoding="utf-8")
    desk.transfer.load(tmp_path / "bad.json", tmp_path / "good.json")
    sentence = desk.shell.window.banner.sentence
    assert "1 chat was imported" in sentence
    assert "bad.json" in sentence
    assert desk.conversation.chat is not None
    assert [step.message.text for step in desk.store.path(desk.conversation.chat.id)] == ["Hello"]


def test_an_export_that_the_end_stopped_is_offered_beside_a_model_that_is_gone(
    qtbot: QtBot, qapp: QApplication, tiny: Path, tmp_path: Path, opened: list[Desk]
) -> None:
    gone = tmp_path / "gone-lut4"
    SettingsFile(tmp_path / "settings.json").save(replace(Settings(), welcomed=True, model=f"bundle:{gone}"))
    (tmp_path / "export.json").write_text('{"model": "falcon-7b", "output": "falcon-7b-lut4"}', encoding="utf-8")
    desk = open_in(tmp_path, qapp, opened)
    desk.begin()
    banner = desk.shell.window.banner
    assert "falcon-7b-lut4 was not finished" in banner.sentence
    banner.dismiss()
    assert "gone-lut4 is not here any more" in banner.sentence
    wait(qtbot, lambda: desk.host.status.kind == "ready")
    assert desk.shell.settings.model == f"bundle:{gone}"  # still what was chosen


def test_an_unfinished_export_that_is_given_up_is_no_longer_offered(
    qapp: QApplication, tmp_path: Path, opened: list[Desk]
) -> None:
    (tmp_path / "export.json").write_text('{"model": "falcon-7b", "output": "falcon-7b-lut4"}', encoding="utf-8")
    desk = open_in(tmp_path, qapp, opened)
    desk.models.exports.offer()
    banner = desk.shell.window.banner
    assert "falcon-7b-lut4 was not finished" in banner.sentence
    desk.models.exports.forget()
    assert not banner.isVisibleTo(desk.shell.window)


def test_a_database_of_an_earlier_run_is_whole_while_the_window_is_open(
    qapp: QApplication, tmp_path: Path, opened: list[Desk]
) -> None:
    desk = open_in(tmp_path, qapp, opened)
    desk.chats.open_first()
    with sqlite3.connect(tmp_path / "chats.sqlite3") as elsewhere:
        assert elsewhere.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert elsewhere.execute("PRAGMA journal_mode").fetchone() == ("wal",)
