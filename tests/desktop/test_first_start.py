"""The first start: the embedded model's bundle is made, and people are told so in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from desktop.desk import Desk
from desktop.shell import Shell
from desktop.views.welcome import Welcome
from tests.desktop.engines import end, wait


@pytest.fixture
def desk(qapp: QApplication, tmp_path: Path) -> Iterator[Desk]:
    shell = Shell(qapp, tmp_path / "data")
    shell.change(replace(shell.settings, language="en"))
    desk = Desk(shell, tmp_path / "data")
    shell.window.show()
    yield desk
    end(desk)


def welcome(desk: Desk) -> Welcome:
    page = desk.shell.window.findChild(Welcome)
    assert isinstance(page, Welcome)
    return page


def test_a_model_that_is_still_to_be_made_is_not_called_ready(
    qtbot: QtBot, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FALCONET_CACHE", str(tmp_path / "cache"))
    desk.begin()
    wait(qtbot, lambda: desk.host.status.preparing)
    told = welcome(desk).state.accessibleName()
    assert told.startswith("Preparing falcon-tiny-instruct for this computer: this is needed only once")
    assert "preparing, " in desk.shell.window.header.model_button.text()
    welcome(desk).start_button.click()
    desk.conversation.send("What is the capital of France?")
    wait(qtbot, lambda: desk.host.status.seconds > 0)  # each second is told, so that it is seen to go on
    shown = [label.text() for label in desk.view.findChildren(QLabel) if label.isVisible()]
    assert any(text.startswith(told.split(":")[0]) and text.endswith(" s") for text in shown), shown
    wait(qtbot, lambda: (desk.host.status.percent or 0) > 0)
    percent = f"{desk.host.status.percent} %"
    assert f"preparing, {percent}" in desk.shell.window.header.model_button.text()
    shown = [label.text() for label in desk.view.findChildren(QLabel) if label.isVisible()]
    assert any(text.startswith(told.split(":")[0]) and f" {percent}, " in text for text in shown), shown


def test_a_model_that_is_there_is_ready_when_the_welcome_says_so(qtbot: QtBot, desk: Desk, tiny: Path) -> None:
    desk.begin()
    page = welcome(desk)
    wait(qtbot, lambda: desk.host.status.kind == "ready")
    assert page.state.accessibleName() == "falcon-tiny-instruct is ready."
