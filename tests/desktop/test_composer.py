"""The composer: keys, drafts, growth, stop."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QEvent, QMimeData, Qt
from PySide6.QtGui import QKeyEvent, QTextCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.settings import Settings
from desktop.views.composer import MOST_LINES, Composer
from desktop.views.theme import theme
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


def test_tab_leaves_it_for_the_button(composer: Composer) -> None:
    composer.set_draft("text")
    QTest.keyClick(composer.edit, Qt.Key.Key_Tab)
    assert composer.button.hasFocus()
