"""The whole window at work: real widgets, a real store, and the embedded model in its own process."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.desk import Desk
from desktop.shell import Shell
from desktop.store.records import Step, StoredMessage
from runtime import GenerationOptions, SamplingConfig
from tests.desktop.engines import GREEDY, frozen_models, kill_model, lasting, wait

CAPITAL = "What is the capital of France?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("desk")


@pytest.fixture(scope="module")
def desk(qapp: QApplication, tiny_cache: Path, folder: Path) -> Iterator[Desk]:
    """One window and one engine for all tests here; each begins a chat of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FALCONET_CACHE", str(tiny_cache))
        shell = Shell(qapp, folder)
        shell.change(replace(shell.settings, welcomed=True))
        desk = Desk(shell, folder)
        shell.window.resize(1000, 700)
        shell.window.show()
        desk.begin()
        yield desk
        shell.window.close()
        desk.close()


@pytest.fixture
def chat(desk: Desk) -> int:
    desk.chats.begin()
    assert desk.conversation.chat is not None
    desk.store.set_options(desk.conversation.chat.id, GREEDY)
    desk.conversation.refresh()
    return desk.conversation.chat.id


def path(desk: Desk, chat: int) -> list[StoredMessage]:
    return [step.message for step in desk.store.path(chat)]


def last(desk: Desk, chat: int) -> Step:
    return desk.store.path(chat)[-1]


def say(qtbot: QtBot, desk: Desk, chat: int, text: str, *, to_the_end: bool = True) -> None:
    composer = desk.shell.window.composer
    composer.edit.setFocus()
    composer.edit.setPlainText(text)
    qtbot.keyClick(composer.edit, Qt.Key.Key_Return)
    if to_the_end:
        wait(qtbot, lambda: desk.answers.in_chat(chat) is None)


def let_it_write(qtbot: QtBot, desk: Desk, chat: int, tiny: Path, text: str = "Count from one to ten.") -> int:
    """A question whose answer lasts; the answer's id, once it has begun."""
    desk.store.set_options(chat, lasting(tiny))
    desk.conversation.refresh()
    say(qtbot, desk, chat, text, to_the_end=False)
    answer = last(desk, chat).message.id
    wait(qtbot, lambda: len(desk.answers.text(answer) or "") > 5)
    return answer


def test_a_question_is_kept_before_it_is_answered_even_while_the_model_loads(
    qtbot: QtBot, desk: Desk, chat: int, folder: Path
) -> None:
    say(qtbot, desk, chat, CAPITAL, to_the_end=False)
    with sqlite3.connect(folder / "chats.sqlite3") as elsewhere:
        kept = [text for (text,) in elsewhere.execute("SELECT text FROM messages WHERE chat = ?", (chat,))]
    assert kept == [CAPITAL, ""]
    assert desk.shell.window.composer.text() == ""
    wait(qtbot, lambda: desk.answers.in_chat(chat) is None)
    answer = last(desk, chat).message
    assert (answer.state, answer.text) == ("complete", "The capital of France is Paris.")
    assert answer.figures is not None
    assert answer.figures.reason == "stop"
    assert answer.model == "falcon-tiny-instruct"
    assert desk.store.chat(chat).title == CAPITAL


def test_another_answer_stands_beside_the_first_and_the_pager_goes_back(qtbot: QtBot, desk: Desk, chat: int) -> None:
    say(qtbot, desk, chat, CAPITAL)
    first = last(desk, chat).message
    desk.view.regenerateRequested.emit(first.id)
    wait(qtbot, lambda: desk.answers.in_chat(chat) is None)
    second = last(desk, chat)
    assert (second.index, second.count) == (1, 2)
    assert second.message.parent == first.parent
    desk.view.alternativeRequested.emit(second.message.id, -1)
    assert last(desk, chat).message == first
    desk.view.alternativeRequested.emit(first.id, -1)
    assert last(desk, chat).message == first


def test_an_edited_question_keeps_the_old_one_with_its_answer(qtbot: QtBot, desk: Desk, chat: int) -> None:
    say(qtbot, desk, chat, CAPITAL)
    old = path(desk, chat)
    desk.view.editRequested.emit(old[0].id, "What is the opposite of hot?")
    wait(qtbot, lambda: desk.answers.in_chat(chat) is None)
    assert [message.text for message in path(desk, chat)] == [
        "What is the opposite of hot?",
        "The opposite of hot is cold.",
    ]
    desk.view.alternativeRequested.emit(path(desk, chat)[0].id, -1)
    assert path(desk, chat) == old


def test_an_answer_that_is_edited_is_not_asked_for_again(qtbot: QtBot, desk: Desk, chat: int) -> None:
    say(qtbot, desk, chat, CAPITAL)
    desk.view.editRequested.emit(last(desk, chat).message.id, "Paris, of course.")
    step = last(desk, chat)
    assert (step.message.text, step.message.state, step.count) == ("Paris, of course.", "complete", 2)
    assert desk.answers.in_chat(chat) is None


def test_an_answer_that_was_cut_goes_on_where_it_ended(qtbot: QtBot, desk: Desk, chat: int) -> None:
    short = GenerationOptions(sampling=SamplingConfig(temperature=0), max_new_tokens=3)
    desk.store.set_options(chat, short)
    desk.conversation.refresh()
    say(qtbot, desk, chat, CAPITAL)
    cut = last(desk, chat).message
    assert cut.figures is not None
    assert cut.figures.reason == "length"
    desk.store.set_options(chat, GREEDY)
    desk.conversation.refresh()
    desk.shell.window.action("continue").trigger()
    wait(qtbot, lambda: desk.answers.in_chat(chat) is None)
    whole = last(desk, chat).message
    assert whole.id == cut.id
    assert cut.text != "The capital of France is Paris."
    assert whole.text == "The capital of France is Paris."


def test_escape_stops_an_answer_and_keeps_what_it_said(qtbot: QtBot, desk: Desk, chat: int, tiny: Path) -> None:
    answer = let_it_write(qtbot, desk, chat, tiny)
    qtbot.keyClick(desk.shell.window.composer.edit, Qt.Key.Key_Escape)
    wait(qtbot, lambda: desk.answers.in_chat(chat) is None)
    kept = last(desk, chat).message
    assert kept.id == answer
    assert kept.state == "interrupted"
    assert kept.text


def test_an_answer_goes_on_behind_while_another_chat_is_shown(qtbot: QtBot, desk: Desk, chat: int, tiny: Path) -> None:
    answer = let_it_write(qtbot, desk, chat, tiny)
    desk.chats.begin()
    other = desk.conversation.chat
    assert other is not None
    assert other.id != chat
    before = len(desk.answers.text(answer) or "")
    wait(qtbot, lambda: len(desk.answers.text(answer) or "") > before + 20)
    assert not desk.shell.window.header.meter.words, "it tells of the chat that is shown"
    busy = [desk.shell.window.composer._busy]
    desk.chats.open(chat)
    busy.append(desk.shell.window.composer._busy)
    assert busy == [False, True]
    desk.conversation.stop()
    wait(qtbot, lambda: desk.answers.in_chat(chat) is None)
    assert len(last(desk, chat).message.text) > before


def test_the_text_so_far_is_on_disk_within_a_second(qtbot: QtBot, desk: Desk, chat: int, tiny: Path) -> None:
    answer = let_it_write(qtbot, desk, chat, tiny)
    wait(qtbot, lambda: bool(last(desk, chat).message.text))
    assert last(desk, chat).message.state == "streaming"
    assert (desk.answers.text(answer) or "").startswith(last(desk, chat).message.text)
    desk.conversation.stop()
    wait(qtbot, lambda: desk.answers.in_chat(chat) is None)


def test_each_chat_keeps_its_draft(qtbot: QtBot, desk: Desk, chat: int) -> None:
    composer = desk.shell.window.composer
    composer.edit.setFocus()
    qtbot.keyClicks(composer.edit, "half a tho")
    desk.chats.begin()
    assert composer.text() == ""
    assert desk.store.chat(chat).draft == "half a tho"
    desk.chats.open(chat)
    assert composer.text() == "half a tho"


def test_turns_that_were_left_out_are_told(qtbot: QtBot, desk: Desk, chat: int) -> None:
    parent = None
    for number in range(60):
        question = desk.store.add(
            chat, parent, "user", f"The number is {number}. " + "What is the opposite of hot? " * 3
        )
        parent = desk.store.add(chat, question.id, "assistant", "The opposite of hot is cold. " * 3).id
    rolling = GenerationOptions(sampling=SamplingConfig(temperature=0), max_new_tokens=20, context_policy="rolling")
    desk.store.set_options(chat, rolling)
    desk.chats.open(chat)
    say(qtbot, desk, chat, CAPITAL)
    answer = last(desk, chat).message
    assert answer.text == "The capital of France is Paris."
    assert answer.dropped is not None
    assert answer.dropped.policy == "rolling"
    assert answer.dropped.messages > 0


def test_what_cannot_be_answered_says_why_and_loses_nothing(qtbot: QtBot, desk: Desk, chat: int) -> None:
    say(qtbot, desk, chat, "word " * 3000)
    question, answer = path(desk, chat)
    assert question.text == "word " * 3000
    assert answer.state == "failed"
    assert answer.error is not None
    assert "2,048" in answer.error or "2048" in answer.error


def test_a_system_prompt_and_a_preset_belong_to_the_chat(qtbot: QtBot, desk: Desk, chat: int) -> None:
    panel = desk.shell.chat_settings()
    panel.prompt.setPlainText("Answer in one sentence.")
    panel.flush()
    assert desk.store.chat(chat).system_prompt == "Answer in one sentence."
    panel.presetSaveRequested.emit("Brief")
    desk.chats.begin()
    other = desk.conversation.chat
    assert other is not None
    assert panel.prompt.toPlainText() == ""
    (brief,) = [preset for preset in desk.store.presets() if preset.name == "Brief"]
    panel.presetChosen.emit(brief.id)
    assert desk.store.chat(other.id).system_prompt == "Answer in one sentence."
    assert desk.store.chat(other.id).options == GREEDY
    assert panel.prompt.toPlainText() == "Answer in one sentence."


def test_a_deleted_chat_comes_back_with_undo(qtbot: QtBot, desk: Desk, chat: int) -> None:
    say(qtbot, desk, chat, CAPITAL)
    desk.shell.window.action("delete").trigger()
    assert chat not in [found.id for found in desk.store.chats()]
    assert desk.conversation.chat is not None
    assert desk.conversation.chat.id != chat
    qtbot.mouseClick(desk.sidebar.undo.button, Qt.MouseButton.LeftButton)
    assert chat in [found.id for found in desk.store.chats()]
    assert desk.sidebar.list.rows.place_of(chat) is not None


def test_a_message_that_was_found_is_shown_on_its_own_path(qtbot: QtBot, desk: Desk, chat: int) -> None:
    say(qtbot, desk, chat, CAPITAL)
    desk.view.editRequested.emit(path(desk, chat)[0].id, "What is the opposite of xylophone hot?")
    wait(qtbot, lambda: desk.answers.in_chat(chat) is None)
    found = last(desk, chat).message.parent
    desk.view.alternativeRequested.emit(found, -1)
    desk.chats.begin()
    (hit,) = [hit for hit in desk.store.search("xylophone") if hit.message is not None]
    desk.sidebar.hitChosen.emit(hit.chat, hit.message)
    assert desk.conversation.chat is not None
    assert desk.conversation.chat.id == chat
    assert path(desk, chat)[0].id == found


def test_copying_the_last_answer_and_commands_without_a_chat(qtbot: QtBot, desk: Desk, chat: int) -> None:
    desk.shell.window.action("regenerate").trigger()
    desk.shell.window.action("continue").trigger()
    desk.shell.window.action("copy-answer").trigger()
    assert path(desk, chat) == []
    say(qtbot, desk, chat, CAPITAL)
    desk.shell.window.action("copy-answer").trigger()
    assert QGuiApplication.clipboard().text() == "The capital of France is Paris."


def test_chats_go_out_and_come_in_as_files(qtbot: QtBot, desk: Desk, chat: int, tmp_path: Path) -> None:
    say(qtbot, desk, chat, CAPITAL)
    for name in ("chat.md", "chat.html", "chat.pdf", "chat.json"):
        with qtbot.waitSignal(desk.transfer.told) as told:
            desk.transfer.export([chat], tmp_path / name)
        assert told.args[1]
        assert (tmp_path / name).stat().st_size > 100
    assert (tmp_path / "chat.pdf").read_bytes().startswith(b"%PDF")
    assert "Paris" in (tmp_path / "chat.md").read_text(encoding="utf-8")
    desk.transfer.load(tmp_path / "chat.json")
    shown = desk.conversation.chat
    assert shown is not None
    assert shown.id != chat
    assert [message.text for message in path(desk, shown.id)] == [message.text for message in path(desk, chat)]


def test_a_crash_of_the_engine_is_one_sentence_with_a_button_and_loses_no_text(
    qtbot: QtBot, desk: Desk, chat: int, tiny: Path
) -> None:
    answer = let_it_write(qtbot, desk, chat, tiny)
    kill_model()
    wait(qtbot, lambda: desk.answers.in_chat(chat) is None)
    broken = last(desk, chat).message
    assert (broken.id, broken.state) == (answer, "failed")
    assert broken.text
    banner = desk.shell.window.banner
    assert "SIGKILL" in (broken.error or "")
    assert banner.sentence.endswith(" stopped.")  # the same words need not stand there twice
    assert banner.button.isVisible()
    qtbot.mouseClick(banner.button, Qt.MouseButton.LeftButton)
    wait(qtbot, lambda: desk.host.status.kind == "ready")
    assert banner.sentence == ""
    desk.store.set_options(chat, GREEDY)
    desk.conversation.refresh()
    say(qtbot, desk, chat, CAPITAL)
    assert last(desk, chat).message.text == "The capital of France is Paris."


def test_the_memory_is_given_back_and_taken_again_by_the_next_question(qtbot: QtBot, desk: Desk, chat: int) -> None:
    desk.shell.window.action("unload").trigger()
    wait(qtbot, lambda: desk.host.status.kind == "unloaded")
    say(qtbot, desk, chat, CAPITAL)
    assert last(desk, chat).message.text == "The capital of France is Paris."


def test_the_end_in_the_middle_of_an_answer_waits_for_no_model_and_keeps_it(
    qtbot: QtBot, qapp: QApplication, tiny: Path, tmp_path: Path
) -> None:
    shell = Shell(qapp, tmp_path)
    desk = Desk(shell, tmp_path)
    shell.window.show()
    desk.begin()
    assert desk.conversation.chat is not None
    chat = desk.conversation.chat.id
    let_it_write(qtbot, desk, chat, tiny)
    shell.window.composer.edit.setPlainText("and a draft")
    shell.window.close()
    with frozen_models():
        desk.close()
    again = Shell(qapp, tmp_path)
    reopened = Desk(again, tmp_path)
    reopened.chats.open_first()
    kept = last(reopened, chat).message
    assert kept.state == "interrupted"
    assert kept.text
    assert again.window.composer.text() == "and a draft"
    reopened.close()


def test_a_new_chat_takes_the_place_of_one_that_was_left_as_it_began(qtbot: QtBot, desk: Desk, chat: int) -> None:
    desk.chats.begin()
    assert desk.conversation.chat is not None
    assert desk.conversation.chat.id == chat


def test_the_keys_of_finding_find_in_the_chat_that_is_shown(qtbot: QtBot, desk: Desk, chat: int) -> None:
    say(qtbot, desk, chat, CAPITAL)
    window, bar = desk.shell.window, desk.view.find_bar
    window.action("find").trigger()
    assert bar.isVisible()
    qtbot.keyClicks(bar.field, "france")
    assert bar.count.text() == "2 of 2"  # the newest first
    window.action("find-next").trigger()
    assert bar.count.text() == "1 of 2"
    window.action("find-previous").trigger()
    assert bar.count.text() == "2 of 2"
    qtbot.keyClick(bar.field, Qt.Key.Key_Escape)
    assert not bar.isVisible()
    window.action("find-next").trigger()  # which begins to find
    assert (bar.isVisible(), bar.count.text()) == (True, "2 of 2")


def test_a_new_chat_leaves_out_what_the_settings_say(desk: Desk) -> None:
    before = desk.shell.settings
    try:
        for policy in ("truncate-middle", "rolling"):  # the second time the untouched chat of the first is taken
            desk.shell.change(replace(desk.shell.settings, context_policy=policy))
            desk.chats.begin()
            assert desk.conversation.chat is not None
            assert desk.conversation.chat.options.context_policy == policy
            assert desk.shell.chat_settings().defaults.context_policy == policy
    finally:
        desk.shell.change(before)
