"""The window: what it does by itself, what it tells, and that everything can be done with keys and heard."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QAccessible, QAction, QGuiApplication, QKeySequence, QTextDocumentFragment
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QScrollArea,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot

from desktop.settings import Settings
from desktop.views.chat_settings import ChatSettingsPanel
from desktop.views.commands import COMMANDS
from desktop.views.theme import theme
from desktop.views.window import MainWindow
from desktop.views.window_state import WindowState

HANDLED = {"sidebar", "next-pane", "previous-pane", "compose", "full-screen", "stop", "quit"}
EDITING = {"undo", "redo", "cut", "copy", "paste", "select-all"}


class List(QWidget):
    """Stands where the list of chats will: one field that takes the keyboard."""

    def __init__(self) -> None:
        super().__init__()
        self.field = QLineEdit()
        QVBoxLayout(self).addWidget(self.field)


@pytest.fixture
def window(qtbot: QtBot) -> MainWindow:
    made = MainWindow()
    qtbot.addWidget(made)
    made.set_sidebar(List())
    conversation = QTextBrowser()
    conversation.setAccessibleName("Conversation")
    made.set_conversation(conversation)
    made.show()
    made.activateWindow()
    qtbot.waitExposed(made)
    made.composer.setFocus()
    return made


def focused(window: MainWindow) -> str:
    widget = QApplication.focusWidget()
    assert widget is not None
    if widget.parent().__class__ is List:
        return "list"
    return "composer" if widget is window.composer.edit else type(widget).__name__


def test_a_window_opens_with_its_composer_ready_to_type(window: MainWindow) -> None:
    QTest.keyClicks(window.composer.edit, "hello")
    assert window.composer.text() == "hello"


def test_f6_goes_round_the_panes_and_shift_f6_back(window: MainWindow) -> None:
    seen = []
    for _ in range(3):
        QTest.keyClick(window, Qt.Key.Key_F6)
        seen.append(focused(window))
    assert seen == ["list", "QTextBrowser", "composer"]
    for _ in range(3):
        QTest.keyClick(window, Qt.Key.Key_F6, Qt.KeyboardModifier.ShiftModifier)
        seen.append(focused(window))
    assert seen[3:] == ["QTextBrowser", "list", "composer"]


def test_a_hidden_list_is_passed_over(window: MainWindow) -> None:
    window.action("sidebar").trigger()
    QTest.keyClick(window, Qt.Key.Key_F6)
    assert focused(window) == "QTextBrowser"
    window.action("sidebar").trigger()
    QTest.keyClick(window, Qt.Key.Key_F6, Qt.KeyboardModifier.ShiftModifier)
    assert focused(window) == "list"


def test_tab_goes_from_list_over_header_and_conversation_to_composer(window: MainWindow) -> None:
    sidebar = window.findChild(List)
    assert isinstance(sidebar, List)
    sidebar.field.setFocus()
    seen = []
    for _ in range(5):
        QTest.keyClick(QApplication.focusWidget() or window, Qt.Key.Key_Tab)
        seen.append(focused(window))
    assert seen == ["IconButton", "IconButton", "IconButton", "QTextBrowser", "composer"]


def test_escape_stops_the_answer_and_comes_back_to_the_composer(window: MainWindow, qtbot: QtBot) -> None:
    window.set_busy(True)
    window.header.model_button.setFocus()
    with qtbot.waitSignal(window.composer.stopRequested):
        QTest.keyClick(window.header.model_button, Qt.Key.Key_Escape)
    assert focused(window) == "composer"


def test_escape_without_an_answer_only_comes_back(window: MainWindow) -> None:
    told: list[bool] = []
    window.composer.stopRequested.connect(lambda: told.append(True))
    window.header.model_button.setFocus()
    QTest.keyClick(window.header.model_button, Qt.Key.Key_Escape)
    assert focused(window) == "composer"
    assert told == []


@pytest.mark.parametrize("command", [command.id for command in COMMANDS if command.id not in HANDLED | EDITING])
def test_every_other_command_is_told(window: MainWindow, command: str) -> None:
    told: list[str] = []
    window.commandTriggered.connect(told.append)
    window.action(command).trigger()
    assert told == [command]


def test_no_two_commands_share_a_key() -> None:
    keys = [key.toString() for command in COMMANDS for key in command.key_sequences()]
    assert sorted(keys) == sorted(set(keys))


def test_every_command_can_be_read_and_found(window: MainWindow) -> None:
    in_menus = [action for menu in window.menuBar().findChildren(QMenu) for action in menu.actions()]
    for command in COMMANDS:
        action = window.action(command.id)
        assert action in in_menus or (command.id == "full-screen" and sys.platform == "darwin")
        assert action.text()
        assert action.statusTip()


@pytest.mark.parametrize(
    ("command", "role", "keys"),
    [
        ("about", QAction.MenuRole.AboutRole, None),
        ("settings", QAction.MenuRole.PreferencesRole, "Ctrl+,"),
        ("quit", QAction.MenuRole.QuitRole, "Ctrl+Q"),
    ],
)
def test_what_a_mac_moves_to_its_own_menu_says_so(
    window: MainWindow, command: str, role: QAction.MenuRole, keys: str | None
) -> None:
    assert window.action(command).menuRole() == role
    if keys:
        assert window.action(command).shortcut() == QKeySequence(keys)


def test_the_edit_menu_acts_on_the_text_that_has_the_keyboard(window: MainWindow) -> None:
    QTest.keyClicks(window.composer.edit, "some words")
    window.action("select-all").trigger()
    window.action("cut").trigger()
    assert window.composer.text() == ""
    assert QGuiApplication.clipboard().text() == "some words"
    window.action("undo").trigger()
    assert window.composer.text() == "some words"


def test_every_control_has_a_name_in_words(window: MainWindow) -> None:
    nameless = [
        widget
        for widget in window.findChildren(QWidget)
        if widget.focusPolicy() != Qt.FocusPolicy.NoFocus
        and widget.isVisibleTo(window)
        and not isinstance(widget.parent(), List)
        and not QAccessible.queryAccessibleInterface(widget).text(QAccessible.Text.Name)
    ]
    assert nameless == []


def test_the_banner_is_heard_and_its_button_acts_once(window: MainWindow) -> None:
    acts: list[bool] = []
    window.banner.show_notice("The engine stopped.", button="Restart", action=lambda: acts.append(True))
    assert window.banner.sentence == "The engine stopped."
    assert QAccessible.queryAccessibleInterface(window.banner).text(QAccessible.Text.Name) == "The engine stopped."
    assert window.banner.button.isVisible()
    window.banner.button.click()
    assert window.banner.sentence == ""
    window.banner.button.click()
    assert acts == [True]


def test_the_meter_says_its_tokens_in_words_and_is_gone_where_nothing_is_known(window: MainWindow) -> None:
    window.header.set_context(1204, 2048, "3 messages were left out.")
    name = QAccessible.queryAccessibleInterface(window.header.meter).text(QAccessible.Text.Name)
    assert name == "Context: 1,204 of 2,048 tokens used. 3 messages were left out."
    window.header.set_context(50, None)
    assert window.header.meter.accessibleName() == "Context: 50 tokens used."
    window.header.set_context(None, 2048)
    assert not window.header.meter.isVisible()


def test_the_model_button_says_what_the_model_does(window: MainWindow) -> None:
    window.header.set_model("falcon-7b", "loading", "Loading, 12 s")
    assert "falcon-7b" in window.header.model_button.text()
    assert "Loading, 12 s" in window.header.model_button.text()
    assert window.header.model_button.accessibleName() == "Model: falcon-7b. Loading, 12 s"


def test_names_are_shown_letter_by_letter(window: MainWindow) -> None:
    name = "Svc & Co <b>7</b>"
    window.header.set_model(name, "ready", "Ready", remote=True)
    window.header.set_title(name)
    button, title = window.header.model_button, window.header.title
    assert button.text().strip() == name.replace("&", "&&"), "in a button, one alone marks a key"
    assert button.accessibleName() == f"Remote service: {name}. Ready"
    for tip, words in ((button.toolTip(), button.accessibleName()), (title.toolTip(), name)):
        assert QTextDocumentFragment.fromHtml(tip).toPlainText() == words


def test_a_long_title_is_cut_to_see_and_whole_to_hear(window: MainWindow) -> None:
    title = "A very long title of a chat " * 10
    window.header.set_title(title)
    QApplication.processEvents()
    assert window.header.title.text().endswith("…")
    assert window.header.title.accessibleName() == title


def test_the_window_comes_back_where_it_was(qtbot: QtBot, tmp_path: Path) -> None:
    first = MainWindow()
    qtbot.addWidget(first)
    first.keep_state(WindowState(tmp_path / "window.ini"))
    first.show()
    first.setGeometry(30, 40, 700, 500)
    first.splitter.setSizes([240, 460])
    divided = first.splitter.sizes()
    first.close()
    second = MainWindow()
    qtbot.addWidget(second)
    second.keep_state(WindowState(tmp_path / "window.ini"))
    second.show()
    assert second.size() == QSize(700, 500)
    assert second.pos() == first.pos()
    assert second.splitter.sizes() == divided


def test_a_list_of_chats_that_comes_later_takes_the_width_and_the_state_that_were_kept(
    qtbot: QtBot, tmp_path: Path
) -> None:
    def opened() -> MainWindow:
        made = MainWindow()
        qtbot.addWidget(made)
        made.keep_state(WindowState(tmp_path / "window.ini"))
        made.set_sidebar(List())
        made.show()
        return made

    first = opened()
    first.resize(1000, 600)
    first.splitter.setSizes([350, 650])
    width = first.splitter.sizes()[0]
    first.close()
    second = opened()
    assert second.splitter.sizes()[0] == width
    second.action("sidebar").trigger()
    second.close()
    third = opened()
    sidebar = third.findChild(List)
    assert isinstance(sidebar, List)
    assert not sidebar.isVisible()
    third.action("sidebar").trigger()
    assert sidebar.isVisible()
    QApplication.processEvents()  # Qt divides the room anew when the loop comes round
    assert third.splitter.sizes()[0] == width


def test_a_window_whose_screen_is_gone_comes_onto_one_that_is_there(qtbot: QtBot, tmp_path: Path) -> None:
    far = MainWindow()
    qtbot.addWidget(far)
    far.keep_state(WindowState(tmp_path / "window.ini"))
    far.show()
    far.setGeometry(QRect(QPoint(9000, 9000), QSize(700, 500)))
    far.close()
    back = MainWindow()
    qtbot.addWidget(back)
    back.keep_state(WindowState(tmp_path / "window.ini"))
    screen = QGuiApplication.primaryScreen().availableGeometry()
    assert screen.contains(back.geometry().center())


def test_the_first_window_is_no_larger_than_its_screen(qtbot: QtBot, tmp_path: Path) -> None:
    window = MainWindow()
    qtbot.addWidget(window)
    window.keep_state(WindowState(tmp_path / "window.ini"))
    room = window.screen().availableSize()
    assert room.width() < 1180, "the screen of these tests is small"
    assert window.width() <= room.width()
    assert window.height() < room.height()


def test_a_damaged_file_of_the_windows_place_costs_only_the_place(qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "window.ini").write_bytes(b"\x00\xffgeometry=@ByteArray(nonsense)\n[")
    window = MainWindow()
    qtbot.addWidget(window)
    window.keep_state(WindowState(tmp_path / "window.ini"))
    assert window.size().width() > 500


def test_a_page_takes_the_chats_place_and_gives_it_back(window: MainWindow) -> None:
    page = QPlainTextEdit()
    window.show_welcome(page)
    assert page.isVisible()
    assert not window.composer.isVisible()
    window.show_chat()
    assert window.composer.isVisible()
    assert focused(window) == "composer"


@pytest.mark.parametrize(("width", "percent"), [(640, 100), (560, 100), (1180, 200), (700, 200), (560, 200)])
def test_settings_of_a_chat_that_have_no_room_beside_it_take_its_place(
    application: QApplication, window: MainWindow, width: int, percent: int
) -> None:
    theme().apply(Settings(text_size=percent))
    window.resize(width, 480)
    panel = ChatSettingsPanel()
    window.set_chat_settings(panel)
    panel.closeRequested.connect(window.action("chat-settings").trigger)
    sidebar, scrolled = window.splitter.widget(0), panel.findChild(QScrollArea)
    assert sidebar is not None
    assert scrolled is not None
    window.action("chat-settings").trigger()
    QApplication.processEvents()
    assert not window.header.isVisible()
    assert sidebar.isVisible() == (panel.minimumWidth() + sidebar.minimumWidth() + 2 <= width)
    inside = scrolled.viewport()
    for part, around in ((panel, window), (panel.close_button, window), (panel.preset_menu_button, inside)):
        assert around.rect().contains(QRect(part.mapTo(around, QPoint()), part.size()))
    focus = QApplication.focusWidget()
    assert focus is not None
    assert panel.isAncestorOf(focus)
    panel.close_button.click()
    assert window.header.isVisible()
    assert sidebar.isVisible()
    assert not panel.isVisible()
    assert window.composer.edit.hasFocus()


def test_settings_of_a_chat_move_beside_it_and_back_as_the_window_is_resized(window: MainWindow) -> None:
    panel = ChatSettingsPanel()
    window.set_chat_settings(panel)
    window.resize(1180, 700)
    window.action("chat-settings").trigger()
    assert panel.isVisible()
    assert window.header.isVisible()
    window.resize(640, 480)
    assert panel.isVisible()
    assert not window.header.isVisible()
    QTest.keyClick(panel, Qt.Key.Key_Escape)  # what is written then is seen
    assert window.header.isVisible()
    assert window.composer.edit.hasFocus()
    window.action("chat-settings").trigger()
    window.resize(1180, 700)
    assert panel.isVisible()
    assert window.header.isVisible()
    QApplication.processEvents()
    assert panel.width() <= panel.minimumWidth() + 4, "the chat has its room back"


def test_a_window_closed_without_room_for_the_chat_opens_with_it(
    application: QApplication, qtbot: QtBot, tmp_path: Path
) -> None:
    def opened() -> MainWindow:
        made = MainWindow()
        qtbot.addWidget(made)
        made.keep_state(WindowState(tmp_path / "window.ini"))
        made.set_chat_settings(ChatSettingsPanel())
        made.show()
        return made

    theme().apply(Settings(text_size=200))
    first = opened()
    first.resize(860, 480)
    first.splitter.setSizes([400, 460, 0])
    QApplication.processEvents()
    width = first.splitter.sizes()[0]
    first.action("chat-settings").trigger()
    assert not first.header.isVisible()
    first.close()
    second = opened()
    QApplication.processEvents()
    assert second.header.isVisible()
    assert second.splitter.sizes()[0] == width
