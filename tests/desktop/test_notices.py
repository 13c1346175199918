"""Notices over the composer: all of each can be read, and none stays longer than what it tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.desk import Desk
from desktop.engine import EMBEDDED
from desktop.engine.safe_start import SafeStart
from desktop.settings import Settings
from desktop.shell import Shell
from desktop.views.banner import Banner
from desktop.views.theme import theme
from desktop.views.window import MainWindow
from tests.desktop.engines import end, wait

LONG = (
    "The file of your settings was damaged: every setting has its default, and settings-damaged-20261128.json keeps "
    "it. What else went wrong is in /home/somebody/.local/share/Falconet/a-folder-whose-name-is-long/errors.log."
)


@pytest.fixture
def desk(qapp: QApplication, tiny: Path, tmp_path: Path) -> Iterator[Desk]:
    SafeStart(tmp_path / "loading.json").begin(EMBEDDED.key)  # and never ended
    shell = Shell(qapp, tmp_path)
    shell.change(replace(shell.settings, language="en", welcomed=True))
    desk = Desk(shell, tmp_path)
    shell.window.show()
    desk.begin()
    yield desk
    end(desk)


@pytest.mark.parametrize("percent", [100, 200])
@pytest.mark.parametrize("button", ["Choose a model", None])
def test_a_long_sentence_in_a_small_window_can_be_read_to_its_end(
    application: QApplication, qtbot: QtBot, percent: int, button: str | None
) -> None:
    theme().apply(replace(Settings(), text_size=percent))
    window = MainWindow()
    qtbot.addWidget(window)
    window.resize(640, 480)
    window.show()
    banner = window.banner
    banner.show_notice(LONG, button=button)
    QApplication.processEvents()
    words, line = banner.words, banner.words.fontMetrics().lineSpacing()
    assert words.viewport().height() >= 3 * line
    assert words.document().idealWidth() <= words.viewport().width(), "a path wraps, too"
    hidden = words.document().size().height() - words.viewport().height()
    assert words.verticalScrollBar().maximum() >= hidden > 0
    assert words.focusPolicy() & Qt.FocusPolicy.TabFocus
    words.setFocus()
    for _ in range(20):
        qtbot.keyClick(words, Qt.Key.Key_PageDown)
    assert words.verticalScrollBar().value() == words.verticalScrollBar().maximum()
    qtbot.keyClick(words, Qt.Key.Key_Tab)
    assert window.focusWidget() is not words
    for part in (banner.button, banner.close_button):
        if part.isVisible():
            assert banner.rect().contains(part.geometry())
            assert part.width() >= part.sizeHint().width()
            assert part.height() >= part.sizeHint().height()


def test_a_short_sentence_takes_one_line_and_no_stop_of_the_tab_key(qtbot: QtBot) -> None:
    banner = Banner()
    qtbot.addWidget(banner)
    banner.resize(600, 60)
    banner.show_notice("One chat was imported.", well=True)
    QApplication.processEvents()
    assert banner.words.verticalScrollBar().maximum() == 0
    assert not banner.words.focusPolicy() & Qt.FocusPolicy.TabFocus


def test_what_was_said_of_one_event_goes_with_the_next_chat_and_what_lasts_stays(desk: Desk) -> None:
    banner = desk.shell.window.banner
    banner.dismiss()
    banner.show_notice("The engine stopped.", lasting=True)
    banner.show_notice("One chat was written to chat.pdf.", well=True)
    shown = desk.conversation.chat
    assert shown is not None
    desk.chats.open(shown.id)  # it is shown already
    assert banner.sentence == "One chat was written to chat.pdf."
    desk.chats.open(desk.store.new_chat().id)
    assert banner.sentence == "The engine stopped."


def test_a_model_that_was_not_loaded_is_told_of_until_one_is_loaded(qtbot: QtBot, desk: Desk) -> None:
    banner = desk.shell.window.banner
    assert banner.sentence.startswith("falcon-tiny-instruct was not loaded: the last time, loading it ended in a crash")
    desk.conversation.send("What is the capital of France?")
    assert banner.sentence == "No model is loaded yet."
    wait(qtbot, lambda: desk.models.library.entry(EMBEDDED.key) is not None)
    desk.models.load(EMBEDDED.key)
    wait(qtbot, lambda: desk.host.status.kind in ("loading", "ready", "answering"))
    assert banner.sentence == ""
