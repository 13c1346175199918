"""A model whose chat format nobody knows: the window says so, lets one be chosen, and keeps that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.desk import Desk
from desktop.engine import RemoteModel
from desktop.library import DoctorState
from desktop.settings import Settings, SettingsFile
from desktop.views.models.check_dialog import CheckDialog
from runtime import ChatTemplate
from tests.desktop.engines import GREEDY, end, new_desk, wait
from tests.tools import copy_bundle, read_manifest, write_manifest


@pytest.fixture
def untold(tiny: Path, tmp_path: Path) -> Path:
    """The embedded model as one that was exported from a folder whose files say nothing of a chat format."""
    bundle = copy_bundle(tiny, tmp_path / "models" / "untold")
    write_manifest(bundle, read_manifest(bundle) | {"chat_template": "raw"})
    return bundle


@pytest.fixture
def desk(qtbot: QtBot, qapp: QApplication, tmp_path: Path, untold: Path) -> Iterator[Desk]:
    desk = new_desk(qapp, tmp_path / "data", model=f"bundle:{untold}", models_folders=(str(untold.parent),))
    desk.begin()
    wait(qtbot, lambda: desk.host.status.kind == "ready")
    yield desk
    end(desk)


def answer(qtbot: QtBot, desk: Desk) -> str:
    """What the model says to the same question in a new chat."""
    desk.chats.begin()
    chat = desk.conversation.chat
    assert chat is not None
    desk.store.set_options(chat.id, GREEDY)
    desk.conversation.refresh()
    desk.conversation.send("What is the opposite of hot?")
    wait(qtbot, lambda: desk.answers.in_chat(chat.id) is None)
    return desk.store.path(chat.id)[-1].message.text


def test_a_model_without_a_chat_format_is_told_and_answers_in_the_one_that_is_chosen_and_kept(
    qtbot: QtBot, desk: Desk, untold: Path
) -> None:
    banner, key = desk.shell.window.banner, f"bundle:{untold}"
    assert banner.sentence.startswith("untold has no chat format, so it continues what you write")
    assert answer(qtbot, desk) != "The opposite of hot is cold."
    wait(qtbot, lambda: desk.models.library.entry(key) is not None)
    banner.button.click()
    assert desk.models._dialog is not None
    page = desk.models._dialog.local
    wait(qtbot, lambda: page.list.choose(key))
    details = page.details
    assert details.chat_format.isVisible()
    assert details.chat_format.currentData() == ""
    assert "No chat format is known for this model" in details.sentence.accessibleName()
    offered = [details.chat_format.itemData(index) for index in range(details.chat_format.count())]
    assert offered == ["", *ChatTemplate.names()]
    index = details.chat_format.findData("falcon-instruct")
    details.chat_format.setCurrentIndex(index)
    details.chat_format.activated.emit(index)
    wait(qtbot, lambda: desk.host.status.kind == "ready")
    assert not banner.sentence
    assert not details.sentence.isVisible()
    assert answer(qtbot, desk) == "The opposite of hot is cold."
    assert SettingsFile(desk.shell._file.path).load().chat_formats == {key: "falcon-instruct"}
    page.loadRequested.emit(key)
    wait(qtbot, lambda: desk.host.status.kind == "ready")
    assert answer(qtbot, desk) == "The opposite of hot is cold."
    details.chat_format.activated.emit(0)
    wait(qtbot, lambda: banner.sentence.startswith("untold has no chat format"))
    assert not desk.shell.settings.chat_formats


def test_that_a_model_has_no_chat_format_stays_dismissed_until_it_has_lost_one(
    qtbot: QtBot, desk: Desk, untold: Path
) -> None:
    banner, key = desk.shell.window.banner, f"bundle:{untold}"
    banner.close_button.click()
    assert not banner.sentence
    desk.host.show(RemoteModel(url="http://127.0.0.1:9/v1", name="Far"))
    desk.host.show(None)
    assert desk.host.status.source is not None
    assert desk.host.status.source.key == key
    assert not banner.sentence
    desk.models.set_chat_format(key, "falcon-instruct")
    wait(qtbot, lambda: desk.host.status.kind == "ready")
    desk.models.set_chat_format(key, "")
    wait(qtbot, lambda: banner.sentence.startswith("untold has no chat format"))


def test_a_format_that_is_not_known_here_is_none(qtbot: QtBot, desk: Desk, untold: Path) -> None:
    desk.models.set_chat_format(f"bundle:{untold}", "a newer program's")
    wait(qtbot, lambda: desk.host.status.kind == "ready")
    assert "has no chat format" in desk.shell.window.banner.sentence


@pytest.mark.parametrize("formats", [["a"], {"a": 1}, "a", None])
def test_chat_formats_that_are_none_have_their_default(formats: object) -> None:
    with pytest.raises(ValueError, match="chat_formats"):
        Settings(chat_formats=formats)  # type: ignore[arg-type]


@pytest.mark.parametrize(("template", "told"), [("raw", True), ("falcon-instruct", False)])
def test_a_check_says_that_a_model_has_no_chat_format(qtbot: QtBot, template: str, told: bool) -> None:
    dialog = CheckDialog()
    qtbot.addWidget(dialog)
    report = {"bundle": {"chat_template": template}}
    dialog.set_state(DoctorState(kind="well", bundle=Path("falcon"), name="falcon", report=report))
    assert ("It names no chat format" in dialog.verdict.accessibleName()) is told
