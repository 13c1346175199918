"""The composer: keys, drafts, growth, stop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QImage, QKeyEvent, QTextCursor, QTextOption
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.attached import LONGEST_LINE
from desktop.settings import Settings
from desktop.views.composer import MOST_LINES, Composer
from desktop.views.theme import theme
from desktop.views.window import MainWindow
from tests.desktop.engines import PATIENCE

Held = Qt.KeyboardModifier
NONE, SHIFT, CONTROL = Held.NoModifier, Held.ShiftModifier, Held.ControlModifier
ENTER = Qt.Key.Key_Return


@pytest.fixture
def composer(qtbot: QtBot) -> Composer:
    made = Composer()
    qtbot.addWidget(made)
    made.resize(500, 100)
    made.show()
    made.setFocus()
    return made


def sent(composer: Composer) -> list[str]:
    told: list[str] = []
    composer.sendRequested.connect(told.append)
    return told


def test_enter_sends_and_shift_enter_begins_a_line(composer: Composer) -> None:
    told = sent(composer)
    QTest.keyClicks(composer.edit, "one")
    QTest.keyClick(composer.edit, ENTER, SHIFT)
    QTest.keyClicks(composer.edit, "two")
    assert told == []
    QTest.keyClick(composer.edit, ENTER, NONE)
    assert told == ["one\ntwo"]


def test_where_ctrl_enter_sends_enter_begins_a_line(composer: Composer) -> None:
    composer.set_send_with("ctrl_enter")
    told = sent(composer)
    QTest.keyClicks(composer.edit, "one")
    QTest.keyClick(composer.edit, ENTER, NONE)
    assert told == []
    assert composer.text() == "one\n"
    QTest.keyClick(composer.edit, ENTER, CONTROL)
    assert told == ["one\n"]


def test_sending_clears_nothing_until_the_message_is_kept(composer: Composer) -> None:
    QTest.keyClicks(composer.edit, "precious")
    QTest.keyClick(composer.edit, ENTER, NONE)
    assert composer.text() == "precious"


def test_blank_text_is_not_sent(composer: Composer) -> None:
    told = sent(composer)
    composer.set_draft("  \n ")
    QTest.keyClick(composer.edit, ENTER, NONE)
    assert told == []


def test_while_an_answer_is_written_the_button_stops_it_and_text_can_be_typed(composer: Composer, qtbot: QtBot) -> None:
    composer.set_busy(True)
    told = sent(composer)
    QTest.keyClicks(composer.edit, "next")
    QTest.keyClick(composer.edit, ENTER, NONE)
    assert told == []
    assert composer.text() == "next"
    assert composer.button.accessibleName() == "Stop the answer"
    with qtbot.waitSignal(composer.stopRequested):
        composer.button.click()


def test_the_button_sends_only_where_there_is_text(composer: Composer) -> None:
    assert not composer.button.isEnabled()
    QTest.keyClicks(composer.edit, "a")
    told = sent(composer)
    composer.button.click()
    assert told == ["a"]


def test_a_draft_is_told_after_a_pause_and_once(composer: Composer, qtbot: QtBot) -> None:
    told: list[str] = []
    composer.draftChanged.connect(told.append)
    with qtbot.waitSignal(composer.draftChanged, timeout=PATIENCE):
        QTest.keyClicks(composer.edit, "abc")
    assert told == ["abc"]


def test_a_draft_is_told_at_once_where_another_chat_is_shown(composer: Composer) -> None:
    told: list[str] = []
    composer.draftChanged.connect(told.append)
    QTest.keyClicks(composer.edit, "abc")
    composer.flush()
    composer.set_draft("of the other chat")
    composer.flush()
    assert told == ["abc"]
    assert composer.text() == "of the other chat"


def test_it_grows_to_eight_lines_and_no_further(composer: Composer) -> None:
    heights = []
    for lines in (1, 2, MOST_LINES, MOST_LINES + 10):
        composer.set_draft("\n".join("x" * lines))
        heights.append(composer.edit.height())
    assert heights[0] < heights[1] < heights[2] == heights[3]


def typed(composer: Composer, text: str) -> None:
    for number, line in enumerate(text.split("\n")):
        if number:
            QTest.keyClick(composer.edit, ENTER, SHIFT)
        for character in line:  # QTest's keys are ASCII's
            QApplication.sendEvent(composer.edit, QKeyEvent(QEvent.Type.KeyPress, 0, NONE, character))


def pasted(composer: Composer, text: str) -> None:
    data = QMimeData()
    data.setText(text)
    composer.edit.insertFromMimeData(data)


@pytest.mark.parametrize("size", [100, 200])
@pytest.mark.parametrize("write", [typed, pasted, Composer.set_draft])
@pytest.mark.parametrize(
    "text", ["one\ntwo\nthree", "first\n\n\nlast", "\n".join("abcdefgh"), "words " * 40, "你好\nα\nمرحبا\n🙂🙂"]
)
def test_text_of_up_to_eight_lines_is_all_in_sight(
    application: QApplication, composer: Composer, size: int, write: Callable[[Composer, str], None], text: str
) -> None:
    theme().apply(Settings(text_size=size))
    write(composer, text)
    QApplication.processEvents()
    edit = composer.edit
    if edit.lines() <= MOST_LINES:
        assert edit.verticalScrollBar().maximum() == 0
        assert edit.cursorRect(QTextCursor(edit.document())).top() == 0
    assert edit.viewport().rect().contains(edit.cursorRect().adjusted(1, 0, -1, 0)), "and where one writes always is"


@pytest.mark.parametrize("width", range(400, 520, 20))
def test_text_is_never_shifted_sideways(composer: Composer, width: int) -> None:
    """Spaces hang over the edge where a line is full."""
    composer.resize(width, 100)
    edit = composer.edit
    for _ in range(80):
        QTest.keyClicks(edit, "words ")
        assert edit.horizontalScrollBar().value() == 0


@pytest.mark.parametrize("size", [100, 200])
def test_in_a_low_window_it_grows_no_further_than_there_is_room(
    qtbot: QtBot, application: QApplication, size: int
) -> None:
    theme().apply(Settings(text_size=size))
    window = MainWindow()
    qtbot.addWidget(window)
    window.resize(900, 420)
    window.show()
    window.composer.set_draft("line\n" * 20)
    QApplication.processEvents()
    bottom = window.composer.mapTo(window, window.composer.rect().bottomLeft()).y()
    assert bottom < window.height()
    assert window.composer.edit.height() <= window.height() // 4
    low = window.composer.edit.height()
    window.resize(900, 1000)
    QApplication.processEvents()
    assert window.composer.edit.height() > low


def test_it_grows_when_its_lines_wrap_in_a_narrower_window(composer: Composer) -> None:
    composer.set_draft("many words " * 12)
    before = composer.edit.lines()
    composer.resize(250, 100)
    QApplication.processEvents()
    assert composer.edit.lines() > before
    assert composer.edit.height() >= composer.edit.lines() * composer.edit.fontMetrics().lineSpacing()


def test_larger_text_makes_it_higher(composer: Composer, application: QApplication) -> None:
    before = composer.edit.height()
    theme().apply(Settings(text_size=200))
    assert composer.edit.height() > 1.5 * before


def test_pasted_text_is_plain(composer: Composer) -> None:
    data = QMimeData()
    data.setHtml("<b>bold</b>")
    data.setText("bold")
    composer.edit.insertFromMimeData(data)
    assert composer.text() == "bold"


def of_files(*files: Path) -> QMimeData:
    """As a file manager gives it: with the paths as text, too."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(file)) for file in files])
    data.setText("\n".join(map(str, files)))
    return data


def told_by(composer: Composer) -> list[str]:
    told: list[str] = []
    composer.refused.connect(told.append)
    return told


def test_a_pasted_file_is_its_text_under_its_name(composer: Composer, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("1,2\n", encoding="utf-8")
    composer.edit.insertFromMimeData(of_files(tmp_path / "a.py"))
    assert composer.text() == "a.py\n```py\nx = 1\n```\n"
    composer.set_draft("What is wrong here?")
    composer.edit.insertFromMimeData(of_files(tmp_path / "a.py", tmp_path / "b.csv"))
    assert composer.text() == "What is wrong here?\n\na.py\n```py\nx = 1\n```\n\nb.csv\n```csv\n1,2\n```\n"
    composer.edit.undo()
    assert composer.text() == "What is wrong here?"
    composer.edit.moveCursor(QTextCursor.MoveOperation.Start)
    composer.edit.insertFromMimeData(of_files(tmp_path / "a.py"))
    assert composer.text() == "a.py\n```py\nx = 1\n```\n\nWhat is wrong here?"


def test_a_file_that_is_pasted_behind_an_emoji_has_one_empty_line_on_each_side(
    composer: Composer, tmp_path: Path
) -> None:
    (tmp_path / "a.py").write_text("x = 1\n", encoding="utf-8")
    composer.set_draft("😀😀\nIs it right?")
    composer.edit.moveCursor(QTextCursor.MoveOperation.Start)
    composer.edit.moveCursor(QTextCursor.MoveOperation.EndOfLine)
    composer.edit.insertFromMimeData(of_files(tmp_path / "a.py"))
    assert composer.text() == "😀😀\n\na.py\n```py\nx = 1\n```\n\nIs it right?"


def test_what_is_no_text_is_told_whoever_answers_and_the_rest_is_taken(composer: Composer, tmp_path: Path) -> None:
    told = told_by(composer)
    (tmp_path / "a.txt").write_text("text", encoding="utf-8")
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n\0")
    composer.edit.insertFromMimeData(of_files(tmp_path / "photo.png", tmp_path / "a.txt", tmp_path))
    assert composer.text() == "a.txt\n```txt\ntext\n```\n"
    assert told == [
        f"photo.png is a picture, and a message is text only.\n{tmp_path.name} is a folder: choose the files in it."
    ]


def test_a_picture_of_the_clipboard_is_refused_unless_there_is_text_beside_it(composer: Composer) -> None:
    told = told_by(composer)
    picture = QImage(4, 4, QImage.Format.Format_RGB32)
    picture.fill(0)
    data = QMimeData()
    data.setImageData(picture)
    QApplication.clipboard().setMimeData(data)
    composer.edit.paste()
    assert told == ["A message is text only: a picture cannot be part of it."]
    data = QMimeData()
    data.setImageData(picture)
    data.setText("cells of a table")
    composer.edit.insertFromMimeData(data)
    assert composer.text() == "cells of a table"


def test_an_address_is_pasted_as_text(composer: Composer) -> None:
    data = QMimeData()
    data.setUrls([QUrl("https://example.com/a.txt")])
    composer.edit.insertFromMimeData(data)
    assert composer.text() == "https://example.com/a.txt"


def test_files_that_are_dropped_are_taken_as_copies(composer: Composer, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text", encoding="utf-8")
    data = of_files(tmp_path / "a.txt")
    every = Qt.DropAction.MoveAction | Qt.DropAction.CopyAction
    QApplication.sendEvent(
        composer.edit.viewport(), QDragEnterEvent(QPoint(2, 2), every, data, Qt.MouseButton.LeftButton, SHIFT)
    )
    drop = QDropEvent(QPointF(2, 2), every, data, Qt.MouseButton.LeftButton, SHIFT)
    drop.setDropAction(Qt.DropAction.MoveAction)
    QApplication.sendEvent(composer.edit.viewport(), drop)
    assert drop.isAccepted()
    assert drop.dropAction() == Qt.DropAction.CopyAction, "else the file manager may delete it"
    assert composer.text() == "a.txt\n```txt\ntext\n```\n"


def test_a_line_that_is_too_long_to_be_edited_is_told(composer: Composer) -> None:
    told = told_by(composer)
    pasted(composer, "x" * (LONGEST_LINE + 1))
    assert composer.text() == ""
    assert told == ["This text has a line of more than 100,000 characters: break it into shorter ones."]
    pasted(composer, "line\n" * 200_000)
    assert len(composer.text()) == 1_000_000


def test_a_long_line_is_broken_anywhere_until_the_text_is_sent(composer: Composer) -> None:
    """Between words it takes Qt seconds at each key."""
    usual = composer.edit.wordWrapMode()
    pasted(composer, "x" * 50_000)
    assert composer.edit.wordWrapMode() == QTextOption.WrapMode.WrapAnywhere
    composer.set_draft("")
    assert composer.edit.wordWrapMode() == usual


def test_tab_leaves_it_for_the_button(composer: Composer) -> None:
    composer.set_draft("text")
    QTest.keyClick(composer.edit, Qt.Key.Key_Tab)
    assert composer.button.hasFocus()
