"""The whole window and every dialog as a screen reader and a keyboard meet them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QAccessible, QAccessibleInterface, QEnterEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QDialog,
    QLabel,
    QLineEdit,
    QListView,
    QMenuBar,
    QPlainTextEdit,
    QProgressBar,
    QRadioButton,
    QSlider,
    QTextBrowser,
    QTreeView,
    QWidget,
)
from pytestqt.qtbot import QtBot

from desktop.desk import Desk
from desktop.library import DoctorState, ExportRequest, ExportState
from desktop.shell import Shell
from desktop.store.records import DeletedChat, Service
from desktop.views.conversation.links import LinkDialog
from desktop.views.conversation.message import MessageWidget
from desktop.views.deleted_dialog import DeletedDialog
from desktop.views.models.check_dialog import CheckDialog
from desktop.views.models.service_dialog import ServiceDialog
from tests.desktop.engines import end, wait

ANSWER = """See [the page](https://example.org/).

```python
print(1)
```

| a | b |
|---|---|
| 1 | 2 |
"""
Role = QAccessible.Role
ROLES: tuple[tuple[type[QWidget], set[QAccessible.Role]], ...] = (
    (QAbstractButton, {Role.Button, Role.CheckBox, Role.RadioButton, Role.ButtonMenu}),
    (QLineEdit, {Role.EditableText}),
    (QPlainTextEdit, {Role.EditableText}),
    (QTextBrowser, {Role.EditableText, Role.StaticText}),
    (QComboBox, {Role.ComboBox}),
    (QListView, {Role.List}),
    (QTreeView, {Role.Tree}),
    (QSlider, {Role.Slider}),
    (QProgressBar, {Role.ProgressBar}),
    (QLabel, {Role.StaticText, Role.Graphic}),
    (QMenuBar, {Role.MenuBar}),
    (QDialog, {Role.Dialog}),
    (MessageWidget, {Role.Grouping}),
)
NAMED = {
    Role.Button,
    Role.ButtonMenu,
    Role.CheckBox,
    Role.ComboBox,
    Role.Dialog,
    Role.EditableText,
    Role.Grouping,
    Role.List,
    Role.ListItem,
    Role.PageTab,
    Role.ProgressBar,
    Role.RadioButton,
    Role.Slider,
    Role.Tree,
}


def name_of(found: QAccessibleInterface) -> str:
    """What is said of it: its name, or the label that it belongs to."""
    widget = found.object()
    if isinstance(widget, QComboBox):  # whose name is its value on Linux: the label beside it says what it is of
        labels = found.relations(QAccessible.RelationFlag.Label)
        return widget.accessibleName() or " ".join(label.text(QAccessible.Text.Name) for label, _ in labels)
    return found.text(QAccessible.Text.Name)


def everything(root: QWidget) -> Iterator[QAccessibleInterface]:
    """All that can be met inside `root`, itself included."""
    waiting = [QAccessible.queryAccessibleInterface(root)]
    while waiting:
        found = waiting.pop()
        if found is None or not found.isValid() or found.state().invisible:
            continue
        yield found
        waiting += [found.child(number) for number in range(found.childCount())]


def faults(root: QWidget) -> list[str]:
    """What a screen reader would stumble over in `root`."""
    wrong = []
    for found in everything(root):
        widget, role = found.object(), found.role()
        is_box_of_buttons = role == Role.Grouping and not isinstance(widget, MessageWidget)
        if role in NAMED and not is_box_of_buttons and not name_of(found).strip():
            wrong.append(f"{type(widget).__name__} has no name")
        for kind, roles in ROLES:
            if isinstance(widget, kind) and role not in roles:
                wrong.append(f"{type(widget).__name__} {name_of(found)!r} has the role {role.name}")
    return wrong


def stops(root: QWidget) -> set[QWidget]:
    """All that Tab should come to."""
    return {
        widget
        for widget in root.findChildren(QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus == Qt.FocusPolicy.TabFocus
        and widget.focusProxy() is None
        and widget.isVisibleTo(root)
        and widget.isEnabledTo(root)
        and (not isinstance(widget, QRadioButton) or widget.isChecked())  # arrows choose another
    }


def round_trip(qtbot: QtBot, start: QWidget, key: Qt.Key = Qt.Key.Key_Tab) -> list[QWidget]:
    """What has the focus after each press of `key`, until the first comes again."""
    window = start.window()
    window.activateWindow()
    wait(qtbot, lambda: QApplication.activeWindow() is window)
    start.setFocus(Qt.FocusReason.TabFocusReason)
    found: list[QWidget] = []
    for _ in range(200):
        focused = window.focusWidget()
        assert focused is not None
        if focused is start and found:
            return found
        found.append(focused)
        qtbot.keyClick(focused, key)
    raise AssertionError("Tab does not come back: " + ", ".join(type(widget).__name__ for widget in found[-20:]))


def with_those_around(widgets: list[QWidget]) -> set[QWidget]:
    """`widgets` and all that they lie in: the list of messages gives its focus to one of them."""
    found = set(widgets)
    for widget in widgets:
        while (around := widget.parentWidget()) is not None:
            found.add(around)
            widget = around
    return found


@pytest.fixture(scope="module")
def desk(qapp: QApplication, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A window that shows all that it can show at once; no model is loaded."""
    folder = tmp_path_factory.mktemp("heard")
    shell = Shell(qapp, folder)
    shell.change(replace(shell.settings, welcomed=True, language="en"))
    desk = Desk(shell, folder)
    desk.chats.begin()
    assert desk.conversation.chat is not None
    chat = desk.conversation.chat.id
    question = desk.store.add(chat, None, "user", "What is it?")
    answer = desk.store.add(chat, question.id, "assistant", ANSWER, state="interrupted")
    desk.store.add(chat, question.id, "assistant", "Another one.")
    desk.store.select(answer.id)
    desk.store.rename(chat, "A question")
    desk.chats.open(chat)
    desk.store.new_folder("Work")
    desk.chats.refresh()
    desk.sidebar.show_undo("One chat was deleted.")
    here = QPointF(1, 1)
    QApplication.sendEvent(desk.sidebar.undo, QEnterEvent(here, here, here))  # with the pointer on it, it stays
    shell.window.resize(1300, 900)
    shell.window.show()
    shell.window.action("chat-settings").trigger()
    shell.window.banner.show_notice("The engine stopped.", button="Restart", action=desk.engine.restart)
    shell.window.header.set_context(10, 2048)
    desk.view.show_find()
    yield desk
    end(desk)


def test_everything_in_the_window_has_a_name_and_the_role_of_what_it_is(qtbot: QtBot, desk: Desk) -> None:
    window = desk.shell.window
    wait(qtbot, lambda: bool(desk.view.list.widgets))
    assert faults(window) == []
    roles = {found.role() for found in everything(window)}
    assert {Role.Grouping, Role.List, Role.EditableText, Role.ComboBox, Role.CheckBox, Role.Button} <= roles


def test_tab_comes_to_everything_in_the_window_pane_by_pane_and_back(qtbot: QtBot, desk: Desk) -> None:
    window = desk.shell.window
    there = round_trip(qtbot, window.composer.edit)
    missed = stops(window) - with_those_around(there)
    assert missed == set(), [(type(widget).__name__, widget.accessibleName()) for widget in missed]
    panes = [desk.sidebar, window.header, desk.view, window.composer, desk.shell.chat_settings()]
    met = [next((pane for pane in panes if pane.isAncestorOf(widget)), None) for widget in there]
    order = [pane for at, pane in enumerate(met) if pane is not None and pane is not met[at - 1]]
    begins = order.index(desk.sidebar)
    assert [*order[begins:], *order[:begins]] == panes
    back = round_trip(qtbot, window.composer.edit, Qt.Key.Key_Backtab)
    assert stops(window) - with_those_around(back) == set()


@pytest.mark.parametrize("command", ["chat-settings", "sidebar"])
def test_what_is_typed_after_a_pane_was_closed_goes_to_the_message(qtbot: QtBot, desk: Desk, command: str) -> None:
    window = desk.shell.window
    window.activateWindow()
    wait(qtbot, lambda: QApplication.activeWindow() is window)
    pane = desk.shell.chat_settings() if command == "chat-settings" else desk.sidebar
    inside = next(field for field in pane.findChildren(QLineEdit) if field.isVisible())
    inside.setFocus()
    wait(qtbot, inside.hasFocus)
    window.action(command).trigger()
    assert not pane.isVisible()
    assert window.composer.edit.hasFocus()


def export_state(kind: str) -> ExportState:
    request = ExportRequest(model="falcon-7b", output=Path("falcon-7b-lut4"))
    return ExportState(kind=kind, request=request, stage="compress", fraction=0.5, error="No room.")  # type: ignore[arg-type]


def exporting(desk: Desk, kind: str) -> QWidget:
    dialog = desk.models.open("export")
    dialog.export.show_state(export_state(kind))
    return dialog


def examining(desk: Desk) -> QWidget:
    dialog = CheckDialog(desk.shell.window)
    dialog.set_state(DoctorState(kind="running", bundle=Path("falcon-7b-lut4"), name="falcon-7b-lut4"))
    return dialog


def asking_for_a_link(desk: Desk) -> QWidget:
    desk.view.list.linkClicked.emit("https://example.org/")
    return desk.view.findChildren(LinkDialog)[-1]


def welcoming(desk: Desk) -> QWidget:
    desk.models.welcome.show()
    page = desk.shell.window.welcome
    assert page is not None
    return page


DIALOGS: dict[str, Callable[[Desk], QWidget]] = {
    "settings": lambda desk: desk.shell.settings_dialog(),
    "shortcuts": lambda desk: desk.shell.shortcut_sheet(),
    "about": lambda desk: desk.shell.about(),
    "deleted chats": lambda desk: DeletedDialog(
        [DeletedChat(chat=desk.store.chats()[0], kept_until=2e9)], desk.shell.window
    ),
    "models": lambda desk: desk.models.open("local"),
    "export": lambda desk: desk.models.open("export"),
    "export running": lambda desk: exporting(desk, "running"),
    "export failed": lambda desk: exporting(desk, "failed"),
    "services": lambda desk: desk.models.open("services"),
    "service": lambda desk: ServiceDialog(
        Service(id=1, name="mine", url="https://example.org/v1", model=None, has_key=True), desk.shell.window
    ),
    "doctor": examining,
    "link": asking_for_a_link,
    "welcome": welcoming,
}


@pytest.mark.parametrize("kind", DIALOGS)
def test_every_dialog_is_named_in_all_its_parts_and_tab_comes_to_all_of_them(
    qtbot: QtBot, desk: Desk, kind: str
) -> None:
    dialog = DIALOGS[kind](desk)
    dialog.show()
    try:
        assert faults(dialog) == []
        wanted = stops(dialog)
        start = next(widget for widget in wanted if widget.isVisible())
        missed = wanted - with_those_around(round_trip(qtbot, start))
        assert missed == set(), [(type(widget).__name__, widget.accessibleName()) for widget in missed]
    finally:
        if kind == "welcome":
            desk.shell.window.show_chat()
        else:
            dialog.close()
