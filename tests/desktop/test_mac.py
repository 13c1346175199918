"""What differs on a Mac, seen from here: whose keys its menu takes, its own menu of windows, and what it draws itself.

A Mac's menu bar asks what has the keyboard by a ShortcutOverride, and has every key of its own that is not claimed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QAction, QColor, QGuiApplication, QImage, QKeyEvent, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox, QLineEdit, QListWidget, QMenu, QMessageBox, QWidget
from pytestqt.qtbot import QtBot

from desktop.settings import Settings
from desktop.translation import set_language
from desktop.views import sheet as sheet_module
from desktop.views.commands import COMMANDS, commands, menu_titles
from desktop.views.conversation.code import CodeText
from desktop.views.conversation.prose import TextView
from desktop.views.conversation.view import ConversationView
from desktop.views.dialog import Dialog
from desktop.views.models.asking import ask
from desktop.views.models.rows import RowList
from desktop.views.parts import Choice
from desktop.views.sheet import style_sheet
from desktop.views.shortcuts import ShortcutSheet
from desktop.views.sidebar.hits import HitList
from desktop.views.sidebar.list import ChatList
from desktop.views.theme import theme
from desktop.views.tokens import LIGHT
from desktop.views.window import MainWindow
from tests.desktop.conversation.conftest import answer, editor, message, texts
from tests.desktop.engines import wait

IN_PANELS = {"cut": "Cut", "copy": "Copy", "paste": "Paste", "select-all": "Select All"}
WHOLE = "Hello you\n\nx=1\n\nBye"
SYSTEMS = ["darwin", "linux", "win32"]


def shown(qtbot: QtBot, window: MainWindow) -> MainWindow:
    qtbot.addWidget(window)
    window.show()
    window.activateWindow()
    wait(qtbot, window.isActiveWindow)
    return window


def chat_in(qtbot: QtBot, system: str) -> tuple[MainWindow, ConversationView, list[str]]:
    """A window with a message of prose, code and prose, and what is copied of it."""
    window, view = MainWindow(system=system), ConversationView()
    copied: list[str] = []
    window.set_conversation(view)
    window.resize(1000, 700)
    shown(qtbot, window)
    view.copyRequested.connect(copied.append)
    view.set_items([answer(1, "Hello you\n\n```\nx=1\n```\n\nBye")])
    return window, view, copied


def claimed(widget: QWidget, key: Qt.Key) -> bool:
    event = QKeyEvent(QEvent.Type.ShortcutOverride, key, Qt.KeyboardModifier.ControlModifier)
    event.ignore()
    QApplication.sendEvent(widget, event)
    return event.isAccepted()


def menu_actions(window: MainWindow) -> list[QAction]:
    menus = (action.menu() for action in window.menuBar().actions())
    return [action for menu in menus if isinstance(menu, QMenu) for action in menu.actions()]


# copying in a conversation


def test_a_message_and_its_texts_claim_the_keys_that_copy_and_select(qtbot: QtBot) -> None:
    parent = QWidget()  # claims nothing
    qtbot.addWidget(parent)
    _, view, _ = chat_in(qtbot, "linux")
    for widget in (message(view, 1), TextView(parent), CodeText(parent)):
        assert claimed(widget, Qt.Key.Key_C)
        assert claimed(widget, Qt.Key.Key_A)
        assert not claimed(widget, Qt.Key.Key_N)
    assert not claimed(parent, Qt.Key.Key_C)


@pytest.mark.parametrize("how", ["menu", "keys"])
@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("part", [None, 0, 1])
def test_all_of_a_message_is_copied_by_menu_and_keys(qtbot: QtBot, system: str, how: str, part: int | None) -> None:
    window, view, copied = chat_in(qtbot, system)
    (message(view, 1) if part is None else texts(view, 1)[part]).setFocus()

    def do(command: str, key: Qt.Key) -> None:
        if how == "menu":
            window.action(command).trigger()
        else:
            QTest.keyClick(QApplication.focusWidget() or window, key, Qt.KeyboardModifier.ControlModifier)

    do("copy", Qt.Key.Key_C)
    do("select-all", Qt.Key.Key_A)
    do("copy", Qt.Key.Key_C)
    assert copied == ["Hello you\n\n```\nx=1\n```\n\nBye", WHOLE]


def test_what_is_edited_in_a_message_is_copied_from_its_field(qtbot: QtBot) -> None:
    window, view, copied = chat_in(qtbot, "darwin")
    message(view, 1).open_editor("some words")
    for command in ("select-all", "cut"):
        window.action(command).trigger()
    assert (editor(view, 1).text, QGuiApplication.clipboard().text(), copied) == ("", "some words", [])


@pytest.mark.parametrize("how", ["menu", "keys"])
def test_the_edit_menu_leaves_a_list_its_own_keys(qtbot: QtBot, how: str) -> None:
    window, rows = MainWindow(system="darwin"), QListWidget()
    rows.addItems(["one", "two"])
    rows.setSelectionMode(QListWidget.SelectionMode.ExtendedSelection)
    window.set_sidebar(rows)
    shown(qtbot, window)
    rows.setFocus()
    if how == "menu":
        window.action("select-all").trigger()
    else:
        QTest.keyClick(rows, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert len(rows.selectedItems()) == 2


# the menus


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_what_panels_for_files_need_is_known_by_its_text_and_has_real_keys(
    application: QApplication, qtbot: QtBot, language: str
) -> None:
    window = MainWindow(system="darwin")
    qtbot.addWidget(window)
    set_language(application, language)
    QApplication.processEvents()
    for command, text in IN_PANELS.items():
        action = window.action(command)
        assert action.menuRole() == QAction.MenuRole.TextHeuristicRole
        # Qt compares what is left without a "&" with its own translation.
        assert action.text().replace("&", "") == application.translate("QCocoaMenuItem", text)
        assert action.shortcuts() == QKeySequence.keyBindings(standard_key(command))


def standard_key(command: str) -> QKeySequence.StandardKey:
    found = next(known.shortcut for known in COMMANDS if known.id == command)
    assert isinstance(found, QKeySequence.StandardKey)
    return found


def test_elsewhere_the_edit_menu_only_tells_of_its_keys(qtbot: QtBot) -> None:
    window = MainWindow(system="linux")
    qtbot.addWidget(window)
    for command in (*IN_PANELS, "stop"):
        action = window.action(command)
        assert action.menuRole() == QAction.MenuRole.NoRole
        assert action.shortcuts() == []
        assert "\t" in action.text()


def test_keys_that_are_bound_in_a_macs_menu_go_to_the_field_that_has_the_keyboard(qtbot: QtBot) -> None:
    window = shown(qtbot, MainWindow(system="darwin"))
    edit = window.composer.edit
    edit.setFocus()
    QTest.keyClicks(edit, "some words")
    for key in (Qt.Key.Key_A, Qt.Key.Key_X):
        QTest.keyClick(edit, key, Qt.KeyboardModifier.ControlModifier)
    assert (window.composer.text(), QGuiApplication.clipboard().text()) == ("", "some words")
    for _ in range(2):
        QTest.keyClick(edit, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert window.composer.text() == "some words" * 2


def test_a_macs_menu_does_not_have_escape_which_still_stops_and_is_told_of(qtbot: QtBot) -> None:
    window = shown(qtbot, MainWindow(system="darwin"))
    assert window.action("stop").text() == "&Stop Answer"
    assert window.action("stop").shortcuts() == []
    sheet = ShortcutSheet(system="darwin")
    qtbot.addWidget(sheet)
    assert ("Stop Answer", "Esc") in sheet.rows()
    window.set_busy(True)
    with qtbot.waitSignal(window.composer.stopRequested):
        QTest.keyClick(window.header.model_button, Qt.Key.Key_Escape)


@pytest.mark.parametrize("system", SYSTEMS)
def test_there_is_nothing_to_stop_before_the_first_answer(qtbot: QtBot, system: str) -> None:
    window = MainWindow(system=system)
    qtbot.addWidget(window)
    assert not window.action("stop").isEnabled()
    window.set_busy(True)
    assert window.action("stop").isEnabled()


@pytest.mark.parametrize("system", SYSTEMS)
def test_full_screen_is_in_no_menu_where_the_system_adds_its_own(qtbot: QtBot, system: str) -> None:
    window = shown(qtbot, MainWindow(system=system))
    action = window.action("full-screen")
    assert (action in menu_actions(window)) == (system != "darwin")
    assert action in window.actions(), "its keys work"
    assert not any(menu.actions()[-1].isSeparator() for menu in window.menuBar().findChildren(QMenu) if menu.actions())


# windows


def test_only_a_mac_has_a_menu_of_windows(qtbot: QtBot) -> None:
    assert list(menu_titles("darwin")) == ["file", "edit", "chat", "view", "model", "window", "help"]
    for system in ("linux", "win32"):
        assert "window" not in menu_titles(system)
        assert commands(system) == COMMANDS
    window = MainWindow(system="linux")
    qtbot.addWidget(window)
    assert [action.text() for action in window.menuBar().actions()] == [*menu_titles("linux").values()]
    assert "close-window" not in window.menus.actions


def test_no_two_commands_of_a_mac_share_a_key() -> None:
    keys = [key.toString() for command in commands("darwin") for key in command.key_sequences()]
    assert sorted(keys) == sorted(set(keys))


def test_the_window_in_front_is_closed_and_no_other(qtbot: QtBot) -> None:
    window = shown(qtbot, MainWindow(system="darwin"))
    action = window.action("close-window")
    assert action in menu_actions(window)
    assert action.shortcuts() == QKeySequence.keyBindings(QKeySequence.StandardKey.Close)
    dialog = Dialog(window)
    dialog.show()
    dialog.activateWindow()
    wait(qtbot, dialog.isActiveWindow)
    action.trigger()
    assert not dialog.isVisible()
    assert window.isVisible()
    window.activateWindow()
    wait(qtbot, window.isActiveWindow)
    QTest.keyClick(window, Qt.Key.Key_W, Qt.KeyboardModifier.ControlModifier)
    assert not window.isVisible()


def test_a_macs_window_is_minimized_and_zoomed_from_its_menu(qtbot: QtBot) -> None:
    window = shown(qtbot, MainWindow(system="darwin"))
    assert window.action("minimize").shortcut() == QKeySequence("Ctrl+M")
    window.action("zoom").trigger()
    assert window.isMaximized()
    window.action("zoom").trigger()
    assert not window.isMaximized()
    window.action("minimize").trigger()
    assert window.isMinimized()


# the sheet of shortcuts


@pytest.mark.parametrize(
    ("system", "typed", "command"),
    [
        ("darwin", "cmd+shift+e", "Export Chat"),
        ("darwin", "Cmd+M", "Minimize"),
        ("linux", "ctrl+shift+e", "Export Chat"),
    ],
)
def test_keys_are_found_by_their_names_where_signs_are_shown(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, system: str, typed: str, command: str
) -> None:
    text = QKeySequence.toString

    def signs(keys: QKeySequence, form: QKeySequence.SequenceFormat) -> str:
        native = form == QKeySequence.SequenceFormat.NativeText
        return "⇧⌘" if native else text(keys, form)

    monkeypatch.setattr(QKeySequence, "toString", signs)
    sheet = ShortcutSheet(system=system)
    qtbot.addWidget(sheet)
    assert len(sheet.rows()) == sum(bool(known.key_sequences()) for known in commands(system))
    sheet.filter.setText(typed)
    assert [name for name, _ in sheet.rows()] == [command]


# what is drawn


def picture(widget: QWidget) -> QImage:
    return widget.grab().toImage()


def pixels(image: QImage, colour: str) -> int:
    wanted = QColor(colour)
    return sum(image.pixelColor(x, y) == wanted for x in range(image.width()) for y in range(image.height()))


@pytest.fixture
def native(application: QApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sheet of a Mac over the style of here."""
    monkeypatch.setattr(theme(), "native", True)
    theme().apply(Settings())


@pytest.mark.usefixtures("native")
def test_a_choice_is_drawn_by_the_sheet_under_a_native_style_too(qtbot: QtBot) -> None:
    box = Choice()
    qtbot.addWidget(box)
    box.addItem("")
    box.resize(200, 60)
    image = picture(box)
    tokens = theme().tokens
    assert image.pixelColor(100, 0) == QColor(tokens.outline)
    assert image.pixelColor(100, 30) == QColor(tokens.raised)
    arrow = image.copy(150, 15, 45, 30)
    assert pixels(arrow, tokens.raised) < arrow.width() * arrow.height()


@pytest.mark.parametrize("size", range(100, 201, 10))
def test_a_choice_that_has_the_room_it_asks_for_shows_its_text(
    application: QApplication, qtbot: QtBot, size: int
) -> None:
    theme().apply(replace(Settings(), text_size=size))
    names = ("Graphics processor (Core ML)", "Neural Engine (Core ML)", "NVIDIA graphics card")
    for name in names:
        box = Choice()
        qtbot.addWidget(box)
        box.setSizeAdjustPolicy(Choice.SizeAdjustPolicy.AdjustToContents)
        box.addItem(name)
        box.resize(box.sizeHint())
        assert box.shown_text() == name


@pytest.mark.parametrize("folder", ["plain", "it's", 'a "b"', "(c) d", 'it\'s a "test" (of ours)', "übung"])
def test_the_sheet_may_lie_in_a_folder_of_any_name(
    application: QApplication, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    box = QCheckBox()
    qtbot.addWidget(box)
    box.setChecked(True)
    wanted = picture(box)
    shutil.copytree(sheet_module._MARKS, tmp_path / folder)
    monkeypatch.setattr(sheet_module, "_MARKS", tmp_path / folder)
    application.setStyleSheet(style_sheet(LIGHT, 1, native=False))
    assert picture(box) == wanted


@pytest.mark.parametrize("made", [ChatList, HitList, RowList])
def test_no_ring_is_drawn_around_a_list_that_shows_where_the_focus_is(
    qtbot: QtBot, made: Callable[[], QWidget]
) -> None:
    widget = made()
    qtbot.addWidget(widget)
    assert not widget.testAttribute(Qt.WidgetAttribute.WA_MacShowFocusRect)


# questions


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Escape])
def test_a_question_is_ours_and_does_nothing_by_return_or_escape(qtbot: QtBot, key: Qt.Key) -> None:
    """A Mac's own alert has Return only for a button that is both: Escape would be dead."""
    parent = QLineEdit()
    qtbot.addWidget(parent)
    parent.show()
    done: list[bool] = []
    box = ask(parent, "Delete it?", detail="", button="Delete", action=lambda: done.append(True))
    assert box.testOption(QMessageBox.Option.DontUseNativeDialog)
    wait(qtbot, box.isVisible)
    QTest.keyClick(box, key)
    assert not box.isVisible()
    assert done == []
