"""The window: what it does by itself, and what it only tells."""

from __future__ import annotations

from pytestqt.qtbot import QtBot

from desktop.views.window import MainWindow


def test_a_window_opens_with_its_composer_ready_to_type(qtbot: QtBot) -> None:
    window = MainWindow()
    qtbot.addWidget(window)
    window.show()
    qtbot.waitExposed(window)
    window.composer.setFocus()
    qtbot.keyClicks(window.composer.edit, "hello")
    assert window.composer.text() == "hello"
