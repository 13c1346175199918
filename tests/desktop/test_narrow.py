"""A narrow window with large text: nothing is cut, and what has no room is reached in another way."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QRect
from PySide6.QtWidgets import QApplication, QLabel, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from desktop.settings import Settings, ThemeName
from desktop.text import Fence
from desktop.views.conversation.code import CodeBlock
from desktop.views.conversation.empty import EmptyChat
from desktop.views.conversation.style import current_style
from desktop.views.header import Header
from desktop.views.parts import Paragraph
from desktop.views.sidebar.sidebar import Sidebar
from desktop.views.theme import theme
from desktop.views.window import MainWindow

TOKENS = "Context: 1,834 of 2,048 tokens used."


def enlarge(percent: int) -> None:
    theme().apply(replace(Settings(), text_size=percent))
    QApplication.processEvents()


class Pane(QWidget):
    """Around a header: a window of its own becomes no narrower than it wants to be."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.header = Header(self)
        self.header.set_title("What is the capital of Japan?")
        self.header.set_model("falcon-7b-instruct-lut4", "ready", "ready")
        self.header.set_export("12 %", "Exporting")
        self.header.set_context(1834, 2048)
        self.show()
        self.header.resize(max(width, self.header.minimumSizeHint().width()), 80)
        QApplication.processEvents()


def parts(header: Header) -> list[QWidget]:
    every = (header.sidebar_button, header.title, header.meter, header.export_button, header.model_button)
    return [part for part in (*every, header.settings_button) if part.isVisible()]


@pytest.mark.parametrize("percent", [100, 200])
@pytest.mark.parametrize("width", [240, 320, 400, 480, 640, 900, 1400])
def test_no_part_of_the_header_is_cut(application: QApplication, qtbot: QtBot, percent: int, width: int) -> None:
    enlarge(percent)
    pane = Pane(width)
    qtbot.addWidget(pane)
    shown = pane.header
    right = 0
    for part in parts(shown):
        assert part.x() >= right, "beside the one before"
        right = part.x() + part.width()
        assert part is shown.title or part.width() >= part.sizeHint().width(), type(part)
    assert right <= shown.width()
    told = shown.meter.toolTip() if shown.meter.isVisible() else shown.model_button.toolTip()
    assert TOKENS in told
    assert shown.meter.isVisible() != (TOKENS in shown.model_button.accessibleName())


def test_the_header_says_all_again_once_there_is_room(application: QApplication, qtbot: QtBot) -> None:
    pane = Pane(1000)
    qtbot.addWidget(pane)
    shown = pane.header

    def said() -> str:
        (label,) = shown.meter.findChildren(QLabel)
        return label.text() if shown.meter.isVisible() else ""

    assert said() == "1,834 / 2,048"
    assert "falcon-7b" in shown.model_button.text()
    words: list[dict[int, str]] = [{}, {}]
    widths = range(1000, 240, -20)
    for seen, order in zip(words, (widths, reversed(widths)), strict=True):
        for width in order:
            shown.resize(width, 80)
            QApplication.processEvents()
            seen[width] = said()
    narrowed, widened = words
    assert list(dict.fromkeys(narrowed.values())) == ["1,834 / 2,048", "89 %", ""]
    assert widened == narrowed


def test_a_header_that_was_wide_lets_its_pane_become_narrow(application: QApplication, qtbot: QtBot) -> None:
    wide, narrow = Pane(1400), Pane(300)
    qtbot.addWidget(wide)
    qtbot.addWidget(narrow)
    assert max(pane.header.minimumSizeHint().width() for pane in (wide, narrow)) <= 280


@pytest.mark.parametrize("width", [560, 640, 800])
def test_the_list_of_chats_is_not_cut_beside_the_chat(application: QApplication, qtbot: QtBot, width: int) -> None:
    enlarge(200)
    window = MainWindow()
    qtbot.addWidget(window)
    sidebar = Sidebar()
    window.set_sidebar(sidebar)
    window.resize(width, 600)
    window.show()
    QApplication.processEvents()
    beside = window.splitter.widget(1)
    assert isinstance(beside, QWidget)
    assert sidebar.geometry().right() < beside.geometry().left()
    for button in (sidebar.new_button, sidebar.archive_button):
        assert sidebar.rect().contains(QRect(button.mapTo(sidebar, button.rect().topLeft()), button.size()))
        assert button.width() >= button.sizeHint().width()


@pytest.mark.parametrize("chosen", ["light", "dark"])
def test_the_menus_that_have_no_room_are_behind_a_button_that_is_seen(
    application: QApplication, qtbot: QtBot, chosen: ThemeName
) -> None:
    theme().apply(replace(Settings(), text_size=200, theme=chosen))
    window = MainWindow()
    qtbot.addWidget(window)
    window.setFixedSize(window.menuBar().sizeHint().width() * 2 // 3, 700)
    window.show()
    QApplication.processEvents()
    button = window.menuBar().findChild(QToolButton, "qt_menubar_ext_button")
    assert isinstance(button, QToolButton)
    assert button.isVisible()
    assert button.width() >= theme().scaled(24)
    assert window.menuBar().rect().contains(button.geometry())
    assert button.accessibleName() == "More menus"
    picture = window.menuBar().grab(button.geometry()).toImage()
    drawn = {picture.pixelColor(x, y).lightness() for x in range(picture.width()) for y in range(picture.height())}
    assert max(drawn) - min(drawn) > 100


@pytest.mark.parametrize(("width", "percent"), [(640, 200), (400, 100), (1400, 200)])
def test_what_the_composer_asks_for_is_not_cut(
    application: QApplication, qtbot: QtBot, width: int, percent: int
) -> None:
    window = MainWindow()
    qtbot.addWidget(window)
    window.show()
    window.resize(width, 700)
    enlarge(percent)
    edit = window.composer.edit
    assert 0 < edit.fontMetrics().horizontalAdvance(edit.placeholderText()) <= edit.viewport().width()
    assert (edit.placeholderText() == "Write a message") == (width == 1400 or percent == 100)


def test_the_language_of_code_is_cut_with_an_ellipsis_or_left_out(qtbot: QtBot) -> None:
    around = QWidget()
    qtbot.addWidget(around)
    block = CodeBlock(around, current_style())
    around.show()
    block.set_fence(Fence(text="x", language="a-language-of-a-long-name", closed=True))
    for width, shown in ((600, "a-language-of-a-long-name"), (200, "…"), (60, "")):
        block.fit(width)
        assert block._language.text().endswith(shown)
        assert block._language.fontMetrics().horizontalAdvance(block._language.text()) <= block._language.width()


@pytest.mark.parametrize("percent", [100, 150, 200])
@pytest.mark.parametrize("size", [(240, 120), (336, 244), (336, 400), (500, 300), (800, 600)])
def test_no_text_of_an_empty_chat_is_cut(
    application: QApplication, qtbot: QtBot, percent: int, size: tuple[int, int]
) -> None:
    enlarge(percent)
    empty = EmptyChat()
    qtbot.addWidget(empty)
    empty.resize(*size)
    empty.show()
    QApplication.processEvents()
    texts = [text for text in empty.findChildren(QLabel) if text.isVisible()]
    assert texts or size[1] < 200 or percent == 200
    for text in texts:
        assert text.height() >= text.heightForWidth(text.width())
        assert empty.rect().contains(text.geometry())
    enlarge(100)
    assert len([text for text in empty.findChildren(QLabel) if text.isVisible()]) == 2 or size[1] < 200


def test_a_paragraph_breaks_a_path_and_says_it_as_it_is(application: QApplication, qtbot: QtBot) -> None:
    path = "/home/someone/" + "a-long-name-" * 12 + "/" + "x" * 90 + r"\and\more" * 20
    paragraph = Paragraph("", f"{path} cannot be read.")
    qtbot.addWidget(paragraph)
    enlarge(200)
    assert paragraph.minimumSizeHint().width() < 500
    assert paragraph.accessibleName() == f"{path} cannot be read."
