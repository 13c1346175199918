"""The window's list of chats at work: what is typed after one was chosen, and chats that were deleted."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QFileDialog, QMessageBox
from pytestqt.qtbot import QtBot

from desktop.desk import Desk
from desktop.store.errors import StoreError
from desktop.store.records import Chat, DeletedChat
from desktop.views.deleted_dialog import DeletedDialog
from tests.desktop.engines import end, new_desk


@pytest.fixture
def desk(qapp: QApplication, tmp_path: Path) -> Iterator[Desk]:
    desk = new_desk(qapp, tmp_path)
    yield desk
    end(desk)


@pytest.fixture
def chat(desk: Desk) -> int:
    """The chat that is shown, with a question in it; there is another, untitled one."""
    desk.chats.begin()
    shown = desk.conversation.chat
    assert shown is not None
    desk.store.add(shown.id, None, "user", "What is the capital of France?")
    desk.store.rename(shown.id, "Capitals")
    desk.chats.refresh()
    return shown.id


def test_a_deleted_chat_comes_back_weeks_later_or_goes_for_good(qtbot: QtBot, desk: Desk, chat: int) -> None:
    other = desk.store.new_chat()
    desk.store.rename(other.id, "Another")
    desk.chats.delete([chat, other.id])
    desk.shell.window.action("deleted-chats").trigger()
    (dialog,) = desk.shell.window.findChildren(DeletedDialog)
    titles = [item.text(0) for item in dialog.list.findItems("", Qt.MatchFlag.MatchContains)]
    assert titles[:2] == ["Another", desk.store.chat(chat).title]
    assert dialog.chosen() == [other.id]
    for answer in (QMessageBox.ButtonRole.RejectRole, QMessageBox.ButtonRole.AcceptRole):
        qtbot.mouseClick(dialog.remove_button, Qt.MouseButton.LeftButton)
        box = dialog.findChildren(QMessageBox)[-1]
        assert desk.store.chat(other.id).title == "Another"
        next(button for button in box.buttons() if box.buttonRole(button) == answer).click()
    with pytest.raises(StoreError, match="deleted for good"):
        desk.store.chat(other.id)
    assert dialog.chosen() == [chat]
    qtbot.mouseClick(dialog.restore_button, Qt.MouseButton.LeftButton)
    assert desk.conversation.chat is not None
    assert desk.conversation.chat.id == chat
    assert desk.sidebar.list.rows.place_of(chat) is not None
    assert chat not in dialog.chosen()
    dialog.close()


def deleted_chats(*numbers: int) -> list[DeletedChat]:
    return [
        DeletedChat(chat=Chat(id=n, title=f"Chat {n}", titled_by_user=True, created=0, updated=0), kept_until=2e9)
        for n in numbers
    ]


@pytest.fixture
def deleted(qtbot: QtBot) -> DeletedDialog:
    dialog = DeletedDialog(deleted_chats(1, 2, 3, 4))
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitActive(dialog)
    return dialog


def told_by(dialog: DeletedDialog) -> list[tuple[str, list[int]]]:
    told: list[tuple[str, list[int]]] = []
    dialog.restoreRequested.connect(lambda chats: told.append(("restore", chats)))
    dialog.removeRequested.connect(lambda chats: told.append(("remove", chats)))
    return told


@pytest.mark.parametrize(
    ("key", "asks"),
    [
        (Qt.Key.Key_Return, "restore"),
        (Qt.Key.Key_Enter, "restore"),
        (Qt.Key.Key_Delete, "remove"),
        (Qt.Key.Key_Backspace, "remove"),
    ],
)
def test_keys_in_the_list_of_deleted_chats(qtbot: QtBot, deleted: DeletedDialog, key: Qt.Key, asks: str) -> None:
    told = told_by(deleted)
    assert deleted.list.hasFocus()
    qtbot.keyClick(deleted.list, key)
    qtbot.keyClick(deleted.list, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(deleted.list, key)
    assert told == [(asks, [1]), (asks, [1, 2, 3, 4])], "once for each key, of all that are chosen"
    assert deleted.isVisible()


def test_enter_on_a_button_of_the_deleted_chats_presses_it_alone(qtbot: QtBot, deleted: DeletedDialog) -> None:
    told = told_by(deleted)
    deleted.remove_button.setFocus()
    qtbot.keyClick(deleted.remove_button, Qt.Key.Key_Return)
    assert told == [("remove", [1])]


def test_what_comes_after_a_deleted_chat_that_is_gone_is_chosen(qtbot: QtBot, deleted: DeletedDialog) -> None:
    qtbot.keyClick(deleted.list, Qt.Key.Key_Down)
    qtbot.keyClick(deleted.list, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert deleted.chosen() == [2, 3]
    deleted.set_chats(deleted_chats(1, 4))
    assert deleted.chosen() == [4]
    deleted.set_chats(deleted_chats(1))
    assert deleted.chosen() == [1]
    deleted.set_chats([])
    assert deleted.focusWidget() is not deleted.list
    qtbot.keyClick(deleted.focusWidget(), Qt.Key.Key_Return)
    assert not deleted.isVisible(), "what is left to do is to close it"


def test_of_a_chat_that_left_the_list_no_row_is_kept(desk: Desk, chat: int) -> None:
    desk.chats.begin()
    shown = desk.sidebar.list.rows
    place = shown.place_of(chat)
    assert place is not None
    row = weakref.ref(shown.rows[place])
    desk.chats.delete([chat])
    gc.collect()
    assert row() is None


def test_what_is_typed_after_a_chat_was_chosen_is_a_message(qtbot: QtBot, desk: Desk, chat: int) -> None:
    other = desk.store.new_chat()
    desk.store.rename(other.id, "Another")
    desk.chats.refresh()
    window = desk.shell.window
    edit = window.composer.edit
    chats = desk.sidebar.list
    place = chats.rows.place_of(other.id)
    assert place is not None
    where = chats.visualRect(chats.rows.index(place)).center()
    qtbot.mouseClick(chats.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert desk.conversation.chat is not None
    assert desk.conversation.chat.id == other.id
    assert window.focusWidget() is edit
    chats.setFocus()
    qtbot.keyClick(chats, Qt.Key.Key_Down)
    assert window.focusWidget() is chats, "arrow keys go on choosing"
    qtbot.keyClick(chats, Qt.Key.Key_Return)
    assert window.focusWidget() is edit
    chats.setFocus()
    qtbot.mouseClick(desk.sidebar.new_button, Qt.MouseButton.LeftButton)
    assert window.focusWidget() is edit


def test_what_is_exported_of_a_folder_are_its_chats(
    qtbot: QtBot, desk: Desk, chat: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = desk.store.new_folder("Work").id
    inside = [desk.store.new_chat(folder=folder).id for _ in range(2)]
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *asked: (str(tmp_path / asked[2]), ""))
    with qtbot.waitSignal(desk.transfer.told, timeout=30_000):
        desk.sidebar.list.exportFolderRequested.emit(folder)
    assert (tmp_path / "Chats.md").read_text(encoding="utf-8").count("# Untitled chat") == len(inside)


def test_the_menu_exports_all_chats(
    qtbot: QtBot, desk: Desk, chat: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.store.new_chat()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "all.zip"), ""))
    with qtbot.waitSignal(desk.transfer.told, timeout=30_000) as told:
        desk.shell.window.action("export-all").trigger()
    assert told.args[0].endswith(f"chats written to {tmp_path / 'all.zip'}.")


def test_a_folder_that_was_deleted_comes_back_in_its_place_with_its_chats(qtbot: QtBot, desk: Desk, chat: int) -> None:
    first, second = desk.store.new_folder("First"), desk.store.new_folder("Second")
    archived = desk.store.new_chat(folder=first.id).id
    desk.store.archive([archived], True)
    desk.chats.move([chat], first.id)
    desk.sidebar.list.deleteFolderRequested.emit(first.id)
    assert [folder.name for folder in desk.store.folders()] == ["Second"]
    assert desk.store.chat(chat).folder is None
    assert desk.sidebar.undo.label.text() == "The folder First was deleted."
    qtbot.mouseClick(desk.sidebar.undo.button, Qt.MouseButton.LeftButton)
    again, after = desk.store.folders()
    assert (again.name, after) == ("First", replace(second, position=1))
    assert [desk.store.chat(found).folder for found in (chat, archived)] == [again.id, again.id]


def test_undo_in_the_list_takes_back_what_was_deleted_there(qtbot: QtBot, desk: Desk, chat: int) -> None:
    desk.sidebar.list.setFocus()
    qtbot.keyClick(desk.sidebar.list, Qt.Key.Key_Delete)
    assert desk.sidebar.undo.isVisible()
    desk.shell.window.action("undo").trigger()
    assert not desk.sidebar.undo.isVisible()
    assert desk.store.deleted_chats() == []
    desk.chats.delete([chat])
    qtbot.keyClick(desk.sidebar.list, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert desk.store.deleted_chats() == []
