"""What is chosen or typed in the list of chats, while the list changes under it."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QMenu
from pytestqt.qtbot import QtBot

from desktop.views.sidebar.sidebar import Sidebar
from tests.desktop.effort import calls
from tests.desktop.test_sidebar import center, chat, fill


def test_several_chats_stay_chosen_while_another_changes(sidebar: Sidebar) -> None:
    chats = [chat(1, "One"), chat(2, "Two"), chat(3, "Three")]
    fill(sidebar, chats)
    sidebar.set_current(1)
    sidebar.list.selectAll()
    fill(sidebar, [replace(chats[0], title="An answer ended here"), *chats[1:]])
    sidebar.set_current(1)
    assert sidebar.list.selected() == [1, 2, 3]
    sidebar.set_current(2)
    assert sidebar.list.selected() == [2], "another one is shown"


def test_of_several_that_leave_the_list_none_is_opened(qtbot: QtBot, sidebar: Sidebar) -> None:
    chats = [chat(number, f"Chat {number}") for number in range(1, 6)]
    fill(sidebar, chats)
    sidebar.set_current(1)
    held = Qt.KeyboardModifier.ControlModifier
    for number in (3, 5, 1):  # which no longer chooses the one that is shown
        qtbot.mouseClick(sidebar.list.viewport(), Qt.MouseButton.LeftButton, held, center(sidebar, number))
    assert sidebar.list.selected() == [3, 5]
    with qtbot.assertNotEmitted(sidebar.list.chatSelected):
        fill(sidebar, [chats[0], chats[1], chats[3]])
        sidebar.set_current(1)
    assert sidebar.list.selected() == [1]


def test_what_is_typed_as_a_title_stays_while_its_chat_changes(qtbot: QtBot, sidebar: Sidebar) -> None:
    fill(sidebar, [chat(1, "One")])
    sidebar.list.edit_title(1)
    editor = sidebar.list.viewport().findChild(QLineEdit)
    assert editor is not None
    qtbot.keyClicks(editor, "Better")
    fill(sidebar, [chat(1, "One", draft="typed elsewhere")])
    assert editor.text() == "Better"
    with qtbot.waitSignal(sidebar.list.renameRequested) as renamed:
        qtbot.keyClick(editor, Qt.Key.Key_Return)
    assert renamed.args == [1, "Better"]


class Number(int):
    """Tells `calls` that it is compared."""

    def __eq__(self, other: object) -> bool:
        return int(self) == other

    __hash__ = int.__hash__


def test_a_menu_for_very_many_chats_looks_at_each_a_few_times(sidebar: Sidebar) -> None:
    fill(sidebar, [chat(Number(number), "One") for number in range(300)])
    sidebar.list.selectAll()
    menus: list[QMenu] = []
    counted = calls(lambda: menus.append(sidebar.list._menu_at(sidebar.list.rows.index(1))))
    assert counted["__eq__"] < 10 * 300
    assert [action.text() for action in menus[0].actions()][:2] == ["Pin", "Move to"], "of several, none is renamed"
