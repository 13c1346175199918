"""All chats leave at once: as JSON, which brings them back, or as an archive of Markdown."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from zipfile import ZipFile

import pytest
from PySide6.QtWidgets import QFileDialog, QMessageBox, QProgressDialog, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from desktop.controllers.transfer import TransferController
from desktop.files import file_name
from desktop.store.store import Store
from desktop.store.transfer import Kind, TransferError, export_chats, import_file, render_paper
from desktop.views.sidebar.list import ChatList


class InterruptedExportError(Exception):
    pass


def filled(store: Store) -> list[int]:
    """Chats in the list, in folders, in the archive, with the same and with awkward titles."""
    work, odd = store.new_folder("Work"), store.new_folder("a/b: c?")
    made: list[int] = []
    for title, folder in (
        ("Plan", None),
        ("plan", None),
        ("Plan", work.id),
        ("", None),
        ("../x\n|y", odd.id),
        ("é 中文", None),
    ):
        chat = store.new_chat(folder=folder).id
        store.rename(chat, title)
        question = store.add(chat, None, "user", f"asked {len(made)}")
        store.add(chat, question.id, "assistant", "older")
        store.add(chat, question.id, "assistant", f"answer {len(made)}", model="tiny")
        made.append(chat)
    store.archive(made[1:2], True)
    deleted = store.new_chat().id
    store.add(deleted, None, "user", "gone")
    store.delete([deleted])
    return made


def test_an_archive_holds_a_file_of_markdown_for_each_chat(store: Store, tmp_path: Path) -> None:
    chats = filled(store)
    export_chats(store, chats, tmp_path / "chats.zip", "archive")
    with ZipFile(tmp_path / "chats.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "Plan.md",
            "plan (2).md",
            "Work/Plan.md",
            "Untitled chat.md",
            "a b c/x y.md",
            "é 中文.md",
        ]
        for place, name in enumerate(archive.namelist()):
            text = archive.read(name).decode("utf-8")
            assert f"## You\n\nasked {place}\n\n## tiny\n\nanswer {place}\n" in text
            assert "older" not in text
        (info, *_) = archive.infolist()
        assert abs(time.mktime((*info.date_time, 0, 0, -1)) - store.chat(chats[0]).updated) < 4


def test_json_of_all_chats_brings_them_all_back(store: Store, tmp_path: Path) -> None:
    chats = filled(store)
    export_chats(store, chats, tmp_path / "chats.json", "json")
    assert len(json.loads((tmp_path / "chats.json").read_text(encoding="utf-8"))["chats"]) == len(chats)
    with closing(Store.open(tmp_path / "other")) as other:
        again = import_file(other, tmp_path / "chats.json")
        assert [other.tree(chat) for chat in again] == [store.tree(chat) for chat in chats]


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("a/b\\c", "a b c"),
        ("  ..hidden.. ", "hidden"),
        ("CON", "CON_"),
        ("nul.txt", "nul.txt_"),
        ("Console", "Console"),
        ("", "chat"),
        ("???", "chat"),
        ("😀" * 100, "😀" * 50),
    ],
)
def test_a_title_becomes_a_name_that_every_system_takes(title: str, name: str) -> None:
    assert file_name(title) == name


@pytest.fixture
def transfer(store: Store, qtbot: QtBot) -> Iterator[TransferController]:
    window = QWidget()
    qtbot.addWidget(window)
    controller = TransferController(store, window, window)
    yield controller
    controller.close()


@pytest.mark.parametrize(("name", "usual"), [("all.json", ".json"), ("all.zip", ".json"), ("all", ".json")])
def test_all_chats_are_written_from_the_menu_those_of_the_archive_too(
    store: Store,
    qtbot: QtBot,
    transfer: TransferController,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    usual: str,
) -> None:
    chats = filled(store)
    asked: list[str] = []

    def choose(_window: QWidget, _title: str, proposed: str, filters: str) -> tuple[str, str]:
        asked.extend((proposed, filters))
        return str(tmp_path / name), filters.split(";;")[0]

    monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)
    with qtbot.waitSignal(transfer.told, timeout=30_000) as told:
        transfer.ask_export_all()
    file = (tmp_path / name) if "." in name else tmp_path / (name + usual)
    assert told.args == [f"{len(chats)} chats written to {file}.", True]
    assert asked[0].startswith("Falconet 20")
    assert asked[0].endswith(usual)
    assert ".zip" in asked[1]
    if file.suffix == ".json":
        titles = [chat["title"] for chat in json.loads(file.read_text(encoding="utf-8"))["chats"]]
        assert sorted(titles) == sorted(store.chat(chat).title for chat in chats)
    else:
        assert len(ZipFile(file).namelist()) == len(chats)


def test_a_file_that_got_its_ending_here_replaces_another_only_after_a_question(
    store: Store, qtbot: QtBot, transfer: TransferController, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "notes.md"
    kept.write_text("mine", encoding="utf-8")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "notes"), ""))
    chat = store.new_chat().id
    store.add(chat, None, "user", "Hello")
    for agrees in (False, True):
        transfer.ask_export([chat], "Chat")
        (box,) = [box for box in transfer._window.findChildren(QMessageBox) if box.isVisible()]
        assert box.text() == "Replace notes.md?"
        assert kept.read_text(encoding="utf-8") == "mine"
        (yes,) = [button for button in box.buttons() if box.buttonRole(button) == QMessageBox.ButtonRole.AcceptRole]
        yes.click() if agrees else box.reject()
    assert "Hello" in kept.read_text(encoding="utf-8")


def test_without_any_chat_nothing_is_asked(qtbot: QtBot, transfer: TransferController) -> None:
    with qtbot.waitSignal(transfer.told) as told:
        transfer.ask_export_all()
    assert told.args == ["There are no chats to export.", True]


def test_an_export_of_many_chats_that_is_cancelled_leaves_no_file(
    store: Store, qtbot: QtBot, transfer: TransferController, tmp_path: Path
) -> None:
    chats = filled(store) * 500
    (tmp_path / "to").mkdir()
    transfer.export(chats, tmp_path / "to" / "chats.json")
    (progress,) = transfer._window.findChildren(QProgressDialog)
    qtbot.waitUntil(lambda: progress.value() > 0, timeout=30_000)
    with qtbot.assertNotEmitted(transfer.told, wait=100):
        progress.findChildren(QPushButton)[0].click()
        qtbot.waitUntil(lambda: not transfer._work, timeout=30_000)
    assert list((tmp_path / "to").iterdir()) == []


@pytest.mark.parametrize("kind", ["markdown", "html", "json", "archive"])
def test_an_export_of_one_chat_that_is_cancelled_while_it_is_written_leaves_no_file(
    store: Store, tmp_path: Path, kind: Kind
) -> None:
    chat = filled(store)[0]
    (tmp_path / "to").mkdir()
    behind: list[int] = []

    def passed(number: int) -> None:
        behind.append(number)
        if number == 1:
            raise InterruptedExportError

    with pytest.raises(InterruptedExportError):
        export_chats(store, [chat], tmp_path / "to" / "chat", kind, passed=passed)
    assert behind == sorted(behind)
    assert (behind[0], behind[-1], behind.count(1)) == (0, 1, 1)
    assert list((tmp_path / "to").iterdir()) == []


@pytest.mark.parametrize("way", ["html", "pdf"])
def test_whether_a_long_page_was_cancelled_is_looked_at_between_its_blocks(
    store: Store, tmp_path: Path, way: str
) -> None:
    chat = store.new_chat().id
    store.add(chat, None, "assistant", "word\n\n" * 5000)
    looked = 0

    def passed(*_: int) -> None:
        nonlocal looked
        looked += 1
        if looked == 5:
            raise InterruptedExportError

    def render() -> None:
        if way == "html":
            export_chats(store, [chat], tmp_path / "chat", "html", passed=passed)
        else:
            render_paper(store, [chat], passed)

    with pytest.raises(InterruptedExportError):
        render()
    assert looked == 5


def test_a_page_of_one_chat_is_written_beside_the_window(
    store: Store, qtbot: QtBot, transfer: TransferController, tmp_path: Path
) -> None:
    chat = filled(store)[0]
    with qtbot.waitSignal(transfer.told, timeout=30_000) as told:
        transfer.export([chat], tmp_path / "chat.html")
        assert not told.signal_triggered
    assert told.args == [f"1 chat written to {tmp_path / 'chat.html'}.", True]
    assert "answer 0" in (tmp_path / "chat.html").read_text(encoding="utf-8")


def test_an_export_that_fails_says_why_and_lets_its_progress_go(
    store: Store, qtbot: QtBot, transfer: TransferController, tmp_path: Path
) -> None:
    with qtbot.captureExceptions() as raised:
        transfer.export(filled(store), tmp_path / "nowhere" / "chats.zip")
        qtbot.waitUntil(lambda: bool(raised), timeout=30_000)
    ((kind, error, _),) = raised
    assert kind is TransferError
    assert "choose another place" in str(error)
    qtbot.waitUntil(lambda: not transfer._window.findChildren(QProgressDialog))


def test_an_export_under_way_ends_with_the_program_and_leaves_nothing(
    store: Store, transfer: TransferController, tmp_path: Path
) -> None:
    (tmp_path / "to").mkdir()
    transfer.export(filled(store) * 2000, tmp_path / "to" / "chats.json")
    transfer.close()
    assert "chat export" not in [thread.name for thread in threading.enumerate()]
    assert list((tmp_path / "to").iterdir()) == []


def test_a_pdf_that_was_cancelled_is_not_written_as_the_program_ends(
    store: Store, transfer: TransferController, tmp_path: Path
) -> None:
    transfer.export(filled(store), tmp_path / "chats.pdf")
    (progress,) = transfer._window.findChildren(QProgressDialog)
    progress.findChildren(QPushButton)[0].click()
    transfer.close()
    assert not (tmp_path / "chats.pdf").exists()


def test_as_the_program_ends_one_pdf_that_fails_keeps_no_other_from_being_written(
    store: Store, transfer: TransferController, tmp_path: Path
) -> None:
    gone, kept = filled(store)[:2]
    transfer.export([gone], tmp_path / "gone.pdf")
    transfer.export([kept], tmp_path / "kept.pdf")
    store.delete([gone])
    store.remove([gone])
    transfer.close()
    assert [file.name for file in tmp_path.glob("*.pdf")] == ["kept.pdf"]


def test_a_folder_with_chats_can_be_exported(store: Store, qtbot: QtBot) -> None:
    chats = ChatList()
    qtbot.addWidget(chats)
    folder = store.new_folder("Work")
    asked: list[int] = []
    chats.exportFolderRequested.connect(asked.append)
    full, empty = chats.folder_menu(folder, 2), chats.folder_menu(folder, 0)
    assert "Export…" not in [action.text() for action in empty.actions()]
    next(action for action in full.actions() if action.text() == "Export…").trigger()
    assert asked == [folder.id]
