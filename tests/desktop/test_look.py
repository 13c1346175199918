"""How the window looks, where numbers can say it: what belongs together stands together, and nothing is cut."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QApplication, QDialog, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from desktop.library import KnownModel
from desktop.library.sizes import disk_size, memory_size
from desktop.settings import Settings
from desktop.store.records import Chat, Folder
from desktop.translation import set_language
from desktop.views.about import AboutDialog
from desktop.views.banner import Banner
from desktop.views.conversation.items import MessageItem
from desktop.views.conversation.view import ConversationView
from desktop.views.models.export_form import ExportForm
from desktop.views.models.rows import Row as RowItem
from desktop.views.models.rows import RowList
from desktop.views.models.service_dialog import ServiceDialog
from desktop.views.parts import Choice, Paragraph
from desktop.views.settings_dialog import SettingsDialog
from desktop.views.sidebar.rows import ChatRow, rows
from desktop.views.theme import theme
from desktop.views.window import MainWindow
from tests.desktop.engines import wait

DIALOGS: dict[str, Callable[[], QDialog]] = {
    "about": lambda: AboutDialog(Path("chats")),
    "settings": lambda: SettingsDialog(Settings()),
    "service": ServiceDialog,
}


def item(number: int, text: str) -> MessageItem:
    """Questions have odd numbers, answers even ones."""
    return MessageItem(id=number, role="user" if number % 2 else "assistant", text=text, state="complete")


@pytest.fixture
def window(application: QApplication, qtbot: QtBot) -> MainWindow:
    made = MainWindow()
    qtbot.addWidget(made)
    made.set_conversation(ConversationView())
    made.resize(1100, 600)
    made.show()
    return made


def view_of(window: MainWindow) -> ConversationView:
    found = window.findChild(ConversationView)
    assert isinstance(found, ConversationView)
    return found


def place(widget: QWidget, window: QWidget, box: QRect | None = None) -> QRect:
    """Where a widget, or a box within it, is in the window."""
    inside = box or widget.rect()
    return QRect(widget.mapTo(window, QPoint(inside.topLeft())), inside.size())


@pytest.mark.parametrize("percent", [100, 150])
@pytest.mark.parametrize("language", ["en", "ar"])
def test_what_is_said_is_as_wide_as_the_field_that_it_is_written_in(
    application: QApplication, window: MainWindow, percent: int, language: str
) -> None:
    theme().apply(Settings(text_size=percent))
    set_language(application, language)
    view = view_of(window)
    for width in (700, 1100, 1500):
        for messages in (2, 30):  # without a scroll bar, and with one
            window.resize(width, 600)
            view.set_items([item(number, "A few words.") for number in range(1, messages + 1)])
            QApplication.processEvents()
            message = next(widget for widget in view.list.widgets.values() if widget.item.role == "user")
            said, field = place(message, window, message._bubble), place(window.composer, window)
            assert view.list.verticalScrollBar().isVisible() == (messages > 2)
            assert abs(said.left() - field.left()) <= 2, (width, messages)
            assert abs(said.right() - field.right()) <= 2, (width, messages)


def test_a_question_is_nearer_to_its_answer_than_to_the_answer_before(window: MainWindow) -> None:
    view = view_of(window)
    view.set_items([item(number, "words") for number in range(1, 5)])
    boxes = {widget.item.id: place(widget.body, window) for widget in view.list.widgets.values()}
    assert boxes[4].top() - boxes[3].bottom() < boxes[3].top() - boxes[2].bottom()


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_speaker_and_what_can_be_done_stand_at_the_sides_that_the_language_has(
    application: QApplication, window: MainWindow, language: str
) -> None:
    set_language(application, language)
    view = view_of(window)
    view.set_items([item(1, "question"), item(2, "answer")])
    question, answer = (view.list.widgets[number] for number in (0, 1))
    for widget in (question, answer):
        widget.footer.show_actions(True)
    begins_left = language == "en"
    middle = question.width() // 2
    assert (question.said_by.who.geometry().center().x() < middle) == begins_left
    copy = {widget: widget.footer._buttons["copy"] for widget in (question, answer)}
    assert (copy[answer].mapTo(answer, QPoint()).x() < middle) == begins_left
    assert (copy[question].mapTo(question, QPoint()).x() > middle) == begins_left
    assert copy[question].mapTo(question, QPoint()).y() < question.body.y()


def test_an_empty_chat_says_how_to_begin_until_something_is_said(window: MainWindow) -> None:
    view = view_of(window)
    assert not view.empty.isVisible()  # before a chat is shown
    view.set_items([])
    assert view.empty.isVisible()
    keys = QKeySequence("Ctrl+/").toString(QKeySequence.SequenceFormat.NativeText)
    assert keys in next(text.accessibleName() for text in view.empty.findChildren(Paragraph))
    view.append(item(1, "hello"))
    assert not view.empty.isVisible()
    view.set_items([])
    view.set_items([item(1, "hello")])
    assert not view.empty.isVisible()


def test_the_window_opens_ready_to_write(window: MainWindow, qtbot: QtBot) -> None:
    window.activateWindow()
    wait(qtbot, lambda: window.focusWidget() is window.composer.edit)


@pytest.mark.parametrize("name", DIALOGS)
@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_a_dialog_is_as_tall_as_its_texts_and_grows_with_them(
    application: QApplication, qtbot: QtBot, name: str, language: str
) -> None:
    set_language(application, language)
    dialog = DIALOGS[name]()
    qtbot.addWidget(dialog)
    dialog.show()
    for percent in (100, 130):
        theme().apply(Settings(text_size=percent))
        QApplication.processEvents()
        cut = [
            text.accessibleName()
            for text in dialog.findChildren(Paragraph)
            if text.height() < text.heightForWidth(text.width())
        ]
        assert cut == []


def test_no_dialog_is_larger_than_the_screen(application: QApplication, qtbot: QtBot) -> None:
    from desktop.views.models.dialog import ModelsDialog, Page

    theme().apply(Settings(text_size=200))
    dialog = ModelsDialog()
    qtbot.addWidget(dialog)
    room = dialog.screen().availableSize()
    dialog.show()
    dialog.banner.show_notice("The keychain is locked. " * 9, button="Open the Service")
    for page in get_args(Page):
        dialog.show_page(page)
        QApplication.processEvents()
        assert dialog.width() <= room.width()
        assert dialog.height() <= room.height()
    least = dialog.minimumSizeHint()
    assert least.width() <= 640
    assert least.height() <= 400, "half of 1280 x 800, as on a screen of twice the density"


def test_only_a_folders_own_chats_are_indented() -> None:
    folder = Folder(id=1, name="Work", position=0)
    chats = [
        Chat(id=1, title="inside", titled_by_user=True, created=0, updated=0, folder=1),
        Chat(id=2, title="pinned", titled_by_user=True, created=0, updated=0, folder=1, pinned=True),
        Chat(id=3, title="loose", titled_by_user=True, created=0, updated=0),
    ]
    shown = {row.chat.title: row.inside for row in rows(chats, [folder]) if isinstance(row, ChatRow)}
    assert shown == {"inside": True, "pinned": False, "loose": False}


def test_good_news_have_no_sign_of_a_warning(application: QApplication, qtbot: QtBot) -> None:
    banner = Banner()
    qtbot.addWidget(banner)
    pictures = []
    for well in (False, True, False):
        banner.show_notice("A sentence.", well=well)
        pictures.append(banner._picture.pixmap().toImage())
    assert pictures[0] == pictures[2] != pictures[1]


def test_a_number_and_its_unit_stay_on_one_line(qapp: QApplication) -> None:
    assert disk_size(3_600_000_000) == "3.6\u00a0GB"
    assert " " not in memory_size(16 * 1024**3)


@pytest.mark.parametrize("percent", [100, 200])
@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_every_choice_in_the_settings_shows_its_text(
    application: QApplication, qtbot: QtBot, percent: int, language: str
) -> None:
    set_language(application, language)
    theme().apply(Settings(text_size=percent))
    dialog = SettingsDialog(Settings())
    qtbot.addWidget(dialog)
    dialog.show()
    for box in dialog.findChildren(Choice):
        for index in range(box.count()):
            box.setCurrentIndex(index)
            assert box.shown_text() == box.currentText()


@pytest.mark.parametrize(("percent", "scrolls"), [(100, False), (200, True)])
def test_settings_that_are_taller_than_the_screen_scroll_above_the_button_that_closes_them(
    application: QApplication, qtbot: QtBot, percent: int, scrolls: bool
) -> None:
    theme().apply(Settings(text_size=percent))
    dialog = SettingsDialog(Settings())
    qtbot.addWidget(dialog)
    dialog.show()
    QApplication.processEvents()
    assert dialog.height() <= dialog.screen().availableSize().height()
    assert dialog.rect().contains(dialog._buttons.geometry())
    for text in dialog.findChildren(Paragraph):
        assert text.height() >= text.heightForWidth(text.width())
    assert (dialog._scroll.verticalScrollBar().maximum() > 0) == scrolls


def test_keys_bring_what_they_go_to_into_view(application: QApplication, qtbot: QtBot) -> None:
    theme().apply(Settings(text_size=200))
    dialog = SettingsDialog(Settings())
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.activateWindow()
    wait(qtbot, dialog.isActiveWindow)
    dialog.resize(dialog.width(), dialog.height() // 2)  # whatever the fonts are, the first or the last field is hidden
    dialog._buttons.buttons()[0].setFocus()
    shown = dialog._scroll.viewport()
    for key, field in (
        (Qt.Key.Key_Backtab, dialog.device_box),
        (Qt.Key.Key_Tab, None),
        (Qt.Key.Key_Tab, dialog.theme_box),
    ):
        qtbot.keyClick(dialog.focusWidget(), key)
        if field is not None:
            assert dialog.focusWidget() is field
            assert shown.rect().contains(field.rect().translated(field.mapTo(shown, QPoint())))


def test_a_choice_that_is_wider_than_its_box_is_elided_there_and_whole_in_its_list(qtbot: QtBot) -> None:
    box = Choice()
    qtbot.addWidget(box)
    box.addItem("a choice of very many words " * 3)
    box.setFixedWidth(200)
    box.show()
    assert box.shown_text().endswith("…")
    box.showPopup()
    assert box.view().viewport().width() >= box.view().sizeHintForColumn(0)
    box.hidePopup()


def test_the_names_in_the_form_of_an_export_are_not_cut(qtbot: QtBot) -> None:
    form = ExportForm()
    qtbot.addWidget(form)
    form.resize(820, 500)
    form.set_known([KnownModel(name="falcon-tiny-instruct", hub="", parameters="embedded")])
    form.show()
    for box in (form.model_box, form.weights_box):
        for index in range(box.count()):
            box.setCurrentIndex(index)
            assert box.shown_text() == box.currentText()


def test_enter_in_a_list_of_a_dialog_means_the_row_and_no_button(qtbot: QtBot) -> None:
    dialog = QDialog()
    qtbot.addWidget(dialog)
    rows, pressed = RowList(dialog), QPushButton("Export", dialog)
    meant: list[str] = []
    rows.set_rows([RowItem(key="a", name="a", note="", icon="cpu")])
    rows.meant.connect(meant.append)
    clicked: list[bool] = []
    pressed.clicked.connect(lambda: clicked.append(True))
    dialog.show()
    rows.setFocus()
    qtbot.keyClick(rows, Qt.Key.Key_Return)
    assert (meant, clicked) == (["a"], [])
