"""The list of chats: its rows, what keys and mouse ask for, search results, undo."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QAbstractItemModelTester, QTest
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from desktop.store.records import Chat, Folder, Hit
from desktop.views.sidebar.model import ChatListModel, text_of
from desktop.views.sidebar.rows import ChatRow, HeaderRow, Row, rows
from desktop.views.sidebar.sidebar import Sidebar
from tests.desktop.engines import wait

NOON = time.mktime((2026, 3, 18, 12, 0, 0, 0, 0, -1))
TODAY = date(2026, 3, 18)
WORK = Folder(id=1, name="Work", position=0)


def chat(number: int, title: str = "", *, days: float = 0, **fields: Any) -> Chat:
    moment = NOON - days * 86_400
    return Chat(id=number, title=title, titled_by_user=False, created=moment, updated=moment, **fields)


def shown(found: Sequence[Row]) -> list[str]:
    return [text_of(row) if isinstance(row, ChatRow) else f"[{text_of(row)}]" for row in found]


def fill(sidebar: Sidebar, chats: Sequence[Chat], folders: Sequence[Folder] = ()) -> None:
    sidebar.set_rows(rows(chats, folders, today=TODAY), folders)


def test_pinned_chats_come_first_then_folders_then_days(qapp: object) -> None:
    chats = [
        chat(1, "Kept", pinned=True, days=30),
        chat(2, "Now"),
        chat(3, "Inside", folder=1),
        chat(4, "Before", days=1),
        chat(5, "This week", days=3),
        chat(6, "Long ago", days=30),
    ]
    assert shown(rows(chats, [WORK], today=TODAY)) == [
        *("[Pinned]", "Kept", "[Work]", "Inside", "[Today]", "Now", "[Yesterday]", "Before"),
        *("[Last seven days]", "This week", "[Older]", "Long ago"),
    ]


def test_a_folded_folder_hides_its_chats_and_a_pinned_one_still_shows(qapp: object) -> None:
    chats = [chat(1, "Inside", folder=1), chat(2, "Kept", folder=1, pinned=True)]
    assert shown(rows(chats, [WORK], folded={1}, today=TODAY)) == ["[Pinned]", "Kept", "[Work]"]


def test_a_chat_of_a_folder_that_is_gone_is_not_lost(qapp: object) -> None:
    assert shown(rows([chat(1, "Orphan", folder=9)], [], today=TODAY)) == ["[Today]", "Orphan"]


def test_days_are_the_calendars(qapp: object) -> None:
    late = chat(1, "Last night", days=0.51)  # 23:45 of the day before
    assert shown(rows([late], [], today=TODAY)) == ["[Yesterday]", "Last night"]
    assert shown(rows([late], [], today=TODAY - timedelta(days=1)))[0] == "[Today]"


@given(st.lists(st.lists(st.integers(1, 9), unique=True), min_size=1, max_size=6), st.integers(1, 9))
def test_the_model_becomes_any_list_and_knows_each_row_by_its_chat(steps: list[list[int]], followed: int) -> None:
    model = ChatListModel()
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    marked = QPersistentModelIndex(QModelIndex())
    for ids in steps:
        was_there = marked.isValid()
        model.set_rows([ChatRow(chat=chat(number, f"Chat {number}")) for number in ids])
        assert [row.chat.id for row in model.rows if isinstance(row, ChatRow)] == ids
        if was_there:
            assert marked.isValid() == (followed in ids)
        if followed in ids:
            if was_there:
                assert marked.row() == ids.index(followed)
            marked = QPersistentModelIndex(model.index(ids.index(followed)))
    del tester


def test_rows_that_say_the_same_are_taken_again(qapp: object) -> None:
    chats = [chat(number, f"Chat {number}", days=number) for number in range(9)]
    before = rows(chats, [], today=TODAY)
    known = {row.chat.id: row for row in before if isinstance(row, ChatRow)}
    chats[4] = replace(chats[4], title="Another")
    after = rows(chats, [], today=TODAY, known=known, writing={7})
    made = [new.chat.id for old, new in zip(before, after, strict=True) if isinstance(new, ChatRow) and new is not old]
    assert made == [4, 7]


def test_rows_beside_each_other_come_and_go_at_once_and_others_are_left_alone(qapp: object) -> None:
    model = ChatListModel()
    told: list[tuple[str, int, int]] = []
    model.rowsInserted.connect(lambda _, first, last: told.append(("in", first, last)))
    model.rowsRemoved.connect(lambda _, first, last: told.append(("out", first, last)))
    model.dataChanged.connect(lambda first, last: told.append(("changed", first.row(), last.row())))
    model.layoutChanged.connect(lambda: told.append(("order", 0, 0)))
    many = [chat(number, f"Chat {number}") for number in range(1000)]
    model.set_rows([ChatRow(chat=one) for one in many])
    model.set_rows([ChatRow(chat=one) for one in [*many[:100], *many[300:]]])
    many[500] = replace(many[500], title="Another")
    model.set_rows([ChatRow(chat=one) for one in many])
    assert told == [("in", 0, 999), ("out", 100, 299), ("in", 100, 299), ("changed", 500, 500)]


def test_all_rows_are_as_high_so_that_the_list_asks_for_one(sidebar: Sidebar) -> None:
    fill(sidebar, [chat(1, "One"), chat(2, "Two", folder=1)], [WORK])
    heights = {sidebar.list.sizeHintForRow(row) for row in range(len(sidebar.list.rows.rows))}
    assert len(heights) == 1
    assert sidebar.list.uniformItemSizes()


def test_a_new_order_keeps_what_is_chosen(sidebar: Sidebar) -> None:
    fill(sidebar, [chat(1, "One"), chat(2, "Two")])
    sidebar.set_current(2)
    fill(sidebar, [chat(3, "Three"), chat(2, "Two, again"), chat(1, "One")])
    assert sidebar.list.selected() == [2]


def test_choosing_a_chat_tells_it_once_and_marking_it_tells_nothing(qtbot: QtBot, sidebar: Sidebar) -> None:
    fill(sidebar, [chat(1, "One"), chat(2, "Two")])
    told: list[int] = []
    sidebar.list.chatSelected.connect(told.append)
    sidebar.set_current(1)
    assert told == []
    sidebar.list.setFocus()
    qtbot.keyClick(sidebar.list, Qt.Key.Key_Down)
    assert told == [2]
    where = sidebar.list.visualRect(sidebar.list.rows.index(1)).center()
    qtbot.mouseClick(sidebar.list.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert told == [2, 1]


def test_several_chats_are_chosen_and_deleted_together(qtbot: QtBot, sidebar: Sidebar) -> None:
    fill(sidebar, [chat(1, "One"), chat(2, "Two"), chat(3, "Three")])
    sidebar.set_current(1)
    for _ in range(2):
        qtbot.keyClick(sidebar.list, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert sidebar.list.selected() == [1, 2, 3]
    with qtbot.waitSignal(sidebar.list.deleteRequested) as deleted:
        qtbot.keyClick(sidebar.list, Qt.Key.Key_Delete)
    assert deleted.args == [[1, 2, 3]]


def test_a_title_is_edited_in_its_place_and_the_store_decides(qtbot: QtBot, sidebar: Sidebar) -> None:
    fill(sidebar, [chat(1, "One")])
    sidebar.list.edit_title(1)
    editor = sidebar.list.viewport().findChild(QLineEdit)
    with qtbot.waitSignal(sidebar.list.renameRequested) as renamed:
        qtbot.keyClicks(editor, "  Another   name ")
        qtbot.keyClick(editor, Qt.Key.Key_Return)
    assert renamed.args == [1, "Another name"]
    assert shown(sidebar.list.rows.rows) == ["[Today]", "One"]


def test_an_empty_title_is_no_change(qtbot: QtBot, sidebar: Sidebar) -> None:
    fill(sidebar, [chat(1, "One")])
    with qtbot.assertNotEmitted(sidebar.list.renameRequested):
        sidebar.list.rows.setData(sidebar.list.rows.index(1), "   ")
        sidebar.list.rows.setData(sidebar.list.rows.index(1), "One")


def test_a_chat_without_a_title_is_not_named_as_it_is_shown(qtbot: QtBot, sidebar: Sidebar) -> None:
    fill(sidebar, [chat(1)])
    with qtbot.assertNotEmitted(sidebar.list.renameRequested):
        sidebar.list.rows.setData(sidebar.list.rows.index(1), "New chat")


def center(sidebar: Sidebar, row: int) -> QPoint:
    return sidebar.list.visualRect(sidebar.list.rows.index(row)).center()


def beside_all(sidebar: Sidebar) -> QPoint:
    return sidebar.list.viewport().rect().bottomLeft() + QPoint(20, -20)


@pytest.mark.parametrize("button", [Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton])
@pytest.mark.parametrize("place", ["beside all", "day", "folder"])
def test_a_click_on_no_chat_leaves_the_one_marked_that_is_shown(
    qtbot: QtBot, sidebar: Sidebar, place: str, button: Qt.MouseButton
) -> None:
    fill(sidebar, [chat(1, "One"), chat(2, "Two")], [WORK])
    assert shown(sidebar.list.rows.rows) == ["[Work]", "[Today]", "One", "Two"]
    sidebar.set_current(2)
    where = {"beside all": beside_all(sidebar), "day": center(sidebar, 1), "folder": center(sidebar, 0)}[place]
    qtbot.mouseClick(sidebar.list.viewport(), button, pos=where)
    assert sidebar.list.selected() == [2]


def test_a_click_beside_several_that_are_chosen_leaves_the_one_that_is_shown(qtbot: QtBot, sidebar: Sidebar) -> None:
    fill(sidebar, [chat(1, "One"), chat(2, "Two")])
    sidebar.set_current(2)
    sidebar.list.selectAll()
    assert sidebar.list.selected() == [1, 2]
    qtbot.mouseClick(sidebar.list.viewport(), Qt.MouseButton.LeftButton, pos=beside_all(sidebar))
    assert sidebar.list.selected() == [2]


def test_chats_that_are_drawn_around_stay_chosen(qtbot: QtBot, sidebar: Sidebar) -> None:
    fill(sidebar, [chat(1, "One"), chat(2, "Two"), chat(3, "Three")])
    sidebar.set_current(1)
    viewport, left = sidebar.list.viewport(), Qt.MouseButton.LeftButton
    qtbot.mousePress(viewport, left, pos=beside_all(sidebar))
    QTest.mouseMove(viewport, center(sidebar, 3))
    QTest.mouseMove(viewport, center(sidebar, 2))
    QTest.mouseMove(viewport, center(sidebar, 2) + QPoint(1, 1))
    chosen = sidebar.list.selected()
    qtbot.mouseRelease(viewport, left, pos=beside_all(sidebar))
    assert chosen == sidebar.list.selected() == [2, 3]


@pytest.mark.parametrize("key", [Qt.Key.Key_Delete, Qt.Key.Key_Backspace])
def test_a_key_at_a_folder_deletes_no_chat(qtbot: QtBot, sidebar: Sidebar, key: Qt.Key) -> None:
    fill(sidebar, [chat(1, "One")], [WORK])
    sidebar.set_current(1)
    qtbot.mouseClick(sidebar.list.viewport(), Qt.MouseButton.LeftButton, pos=center(sidebar, 0))
    with qtbot.assertNotEmitted(sidebar.list.deleteRequested):
        qtbot.keyClick(sidebar.list, key)


def test_enter_at_a_folder_folds_it_and_goes_to_no_chat(qtbot: QtBot, sidebar: Sidebar) -> None:
    fill(sidebar, [chat(1, "One")], [WORK])
    sidebar.set_current(1)
    qtbot.mouseClick(sidebar.list.viewport(), Qt.MouseButton.LeftButton, pos=center(sidebar, 0))
    with qtbot.assertNotEmitted(sidebar.list.entered), qtbot.waitSignal(sidebar.list.foldRequested):
        qtbot.keyClick(sidebar.list, Qt.Key.Key_Return)


def test_a_double_click_has_the_title_edited_and_escape_leaves_it(qtbot: QtBot, sidebar: Sidebar) -> None:
    fill(sidebar, [chat(1, "One"), chat(2, "Two")])
    viewport, entered = sidebar.list.viewport(), []
    sidebar.list.entered.connect(lambda: entered.append(True))
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=center(sidebar, 2))
    qtbot.mouseDClick(viewport, Qt.MouseButton.LeftButton, pos=center(sidebar, 2))
    qtbot.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=center(sidebar, 2))
    editor = viewport.findChild(QLineEdit)
    assert editor is not None
    assert editor.text() == editor.selectedText() == "Two"
    assert entered == [True], "the first click; the second does not take the focus away again"
    with qtbot.assertNotEmitted(sidebar.list.renameRequested):
        qtbot.keyClicks(editor, "Three")
        qtbot.keyClick(editor, Qt.Key.Key_Escape)
    wait(qtbot, lambda: viewport.findChild(QLineEdit) is None)


def test_a_double_click_on_a_folder_edits_nothing(qtbot: QtBot, sidebar: Sidebar) -> None:
    fill(sidebar, [chat(1, "One")], [WORK])
    viewport = sidebar.list.viewport()
    qtbot.mouseDClick(viewport, Qt.MouseButton.LeftButton, pos=center(sidebar, 0))
    qtbot.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=center(sidebar, 0))
    assert viewport.findChild(QLineEdit) is None


def test_chats_are_dropped_on_a_folder_or_out_of_it(qtbot: QtBot, sidebar: Sidebar) -> None:
    fill(sidebar, [chat(1, "One"), chat(2, "Two", folder=1)], [WORK])
    model = sidebar.list.rows
    folder, inside = model.index(0), model.index(1)
    assert shown(model.rows) == ["[Work]", "Two", "[Today]", "One"]
    with qtbot.waitSignal(sidebar.list.moveRequested) as moved:
        model.dropMimeData(model.mimeData([model.index(3)]), Qt.DropAction.MoveAction, -1, 0, folder)
    assert moved.args == [[1], 1]
    with qtbot.waitSignal(sidebar.list.moveRequested) as moved:
        model.dropMimeData(model.mimeData([inside]), Qt.DropAction.MoveAction, -1, 0, model.index(2))
    assert moved.args == [[2], None]


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Enter])
def test_enter_folds_a_folder(qtbot: QtBot, sidebar: Sidebar, key: Qt.Key) -> None:
    fill(sidebar, [chat(1, "One", folder=1)], [WORK])
    sidebar.list.setCurrentIndex(sidebar.list.rows.index(0))
    with qtbot.waitSignal(sidebar.list.foldRequested) as folded:
        qtbot.keyClick(sidebar.list, key)
    assert folded.args == [1]


def test_the_menu_of_chats_names_what_can_be_done(sidebar: Sidebar) -> None:
    fill(sidebar, [chat(1, "One")], [WORK])
    menu = sidebar.list.menu_for([chat(1, "One")])
    assert [action.text() for action in menu.actions() if action.text()] == [
        *("Rename", "Pin", "Move to", "Export…", "Archive", "Delete")
    ]
    several = sidebar.list.menu_for([chat(1, "One", pinned=True, archived=True), chat(2, pinned=True, archived=True)])
    assert [action.text() for action in several.actions() if action.text()] == [
        *("Unpin", "Move to", "Export…", "Back to the list", "Delete")
    ]


def test_keys_show_which_hit_they_are_at(qtbot: QtBot, sidebar: Sidebar) -> None:
    sidebar.activateWindow()
    wait(qtbot, sidebar.isActiveWindow)
    with qtbot.waitSignal(sidebar.searchRequested):
        qtbot.keyClicks(sidebar.search, "light")
    sidebar.set_hits("light", [Hit(chat=3, message=None, title="Light", snippet="", ranges=(), created=NOON)])
    sidebar.new_button.setFocus()
    before = sidebar.hits.grab().toImage()
    qtbot.keyClick(sidebar.new_button, Qt.Key.Key_Tab)
    wait(qtbot, sidebar.hits.hasFocus)
    assert not sidebar.hits.selectedIndexes()
    assert sidebar.hits.grab().toImage() != before


def test_a_search_waits_for_the_last_key_and_shows_what_was_found(qtbot: QtBot, sidebar: Sidebar) -> None:
    asked: list[str] = []
    sidebar.searchRequested.connect(asked.append)
    qtbot.keyClicks(sidebar.search, "light")
    wait(qtbot, lambda: asked == ["light"])
    hit = Hit(chat=3, message=7, title="Story", snippet="a light", ranges=((2, 7),), created=NOON)
    sidebar.set_hits("li", [hit, hit])  # late, of another query
    assert sidebar.hits.hits.rowCount() == 0
    sidebar.set_hits("light", [hit])
    assert sidebar.hits.isVisible()
    qtbot.keyClick(sidebar.search, Qt.Key.Key_Down)
    with qtbot.waitSignal(sidebar.hitChosen) as chosen:
        qtbot.keyClick(sidebar.hits, Qt.Key.Key_Return)
    assert chosen.args == [3, 7]
    qtbot.keyClick(sidebar.search, Qt.Key.Key_Escape)
    assert sidebar.search.text() == ""
    assert not sidebar.hits.isVisible()


def test_what_was_done_can_be_undone_once(qtbot: QtBot, sidebar: Sidebar) -> None:
    sidebar.show_undo("“One” was deleted.")
    assert sidebar.undo.isVisible()
    with qtbot.waitSignal(sidebar.undoRequested):
        qtbot.mouseClick(sidebar.undo.button, Qt.MouseButton.LeftButton)
    assert not sidebar.undo.isVisible()


def test_a_screen_reader_hears_each_row(sidebar: Sidebar) -> None:
    chats = [chat(1, "One", pinned=True), chat(2, "", draft="half a thought"), chat(3, "In", folder=1)]
    fill(sidebar, chats, [WORK])
    interface = QAccessible.queryAccessibleInterface(sidebar.list)
    names = [interface.child(place).text(QAccessible.Text.Name) for place in range(interface.childCount())]
    assert names == ["Pinned", "One, pinned", "Folder Work, unfolded", "In", "Today", "New chat, with a draft"]


def test_an_empty_list_says_what_to_do(sidebar: Sidebar) -> None:
    fill(sidebar, [])
    assert "begin one" in sidebar._empty.text()
    assert sidebar._empty.isVisible()


def test_headers_are_counted(qapp: object) -> None:
    header = rows([chat(1, folder=1), chat(2, folder=1)], [WORK], folded={1}, today=TODAY)[0]
    assert isinstance(header, HeaderRow)
    assert (header.count, header.folded) == (2, True)
