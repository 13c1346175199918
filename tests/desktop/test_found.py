"""What a search over all chats found is marked in the chat that is opened from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.desk import Desk
from desktop.shell import Shell
from desktop.views.conversation.body import text_of
from tests.desktop.engines import wait


@pytest.fixture
def desk(qapp: QApplication, tmp_path: Path) -> Iterator[Desk]:
    """A window without a model."""
    shell = Shell(qapp, tmp_path)
    desk = Desk(shell, tmp_path)
    shell.window.resize(1000, 700)
    shell.window.show()
    yield desk
    shell.window.close()
    desk.close()


def marked(desk: Desk, message: int) -> list[str]:
    widget = next(widget for widget in desk.view.list.widgets.values() if widget.item.id == message)
    texts = [text_of(segment) for segment in widget.body.segments]
    return [place.cursor.selectedText() for text in texts for place in text.extraSelections()]


def test_a_message_that_was_found_shows_the_words_until_escape_or_another_search(qtbot: QtBot, desk: Desk) -> None:
    chat = desk.store.new_chat().id
    question = desk.store.add(chat, None, "user", "Zebras 🦓 in the Café, a zebra not embraced, caf").id
    answer = desk.store.add(chat, question, "assistant", "| a |\n|---|\n| **zebra** cafe |").id
    search = desk.sidebar.search

    def find_and_open(query: str, message: int) -> None:
        search.setText(query)
        wait(qtbot, lambda: [hit.message for hit in desk.sidebar.hits.hits.hits if hit.chat == chat] != [])
        desk.sidebar.hitChosen.emit(chat, message)

    find_and_open("zebra cafe", question)
    assert marked(desk, question) == ["Café", "zebra"]
    assert marked(desk, answer) == []
    for place in (desk.view.list, desk.shell.window.composer.edit, desk.sidebar.hits):
        desk.sidebar.hitChosen.emit(chat, question)
        place.setFocus()
        qtbot.keyClick(place, Qt.Key.Key_Escape)
        assert marked(desk, question) == []
    desk.sidebar.hitChosen.emit(chat, answer)
    assert marked(desk, answer) == ["zebra", "cafe"]
    search.setText("elsewhere")
    wait(qtbot, lambda: marked(desk, answer) == [])
    find_and_open("zebra ca", question)
    assert marked(desk, question) == ["Ca", "zebra", "ca"]  # as far as it was typed
    search.clear()
    wait(qtbot, lambda: marked(desk, question) == [])
