"""The whole window on a computer that cannot export, as one with Windows: no model is there before one is copied."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QPushButton, QRadioButton
from pytestqt.qtbot import QtBot

from desktop.desk import Desk
from desktop.engine import LocalModel
from desktop.library import library as model_library
from desktop.library import models_folder, why_no_export
from desktop.shell import Shell
from desktop.views.models.dialog import ModelsDialog
from desktop.views.welcome import Welcome
from runtime import packages
from tests.conftest import Bundles
from tests.desktop.engines import children, end, frozen_models, wait
from tests.tools import copy_bundle

NOT_HERE = "The exporter is not installed here"


@pytest.fixture
def desk(qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("FALCONET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(packages, "_EXPORTER", ("nothing_of_this_name",))
    shell = Shell(qapp, tmp_path / "data")
    shell.change(replace(shell.settings, language="en"))
    made = Desk(shell, tmp_path / "data")
    shell.window.resize(1000, 700)
    shell.window.show()
    yield made
    end(made)


def test_the_first_start_offers_no_model_and_says_how_to_get_one(qtbot: QtBot, desk: Desk) -> None:
    desk.begin()
    window = desk.shell.window
    page = window.findChild(Welcome)
    assert isinstance(page, Welcome)
    (choice,) = page.findChildren(QRadioButton)
    assert not choice.isEnabled()
    assert choice.accessibleDescription().startswith(NOT_HERE)
    page.start_button.click()
    assert desk.host.status.kind == "none"
    assert window.header.model_button.text().strip() == "Choose a model"
    window.composer.edit.setPlainText("Hello!")
    qtbot.keyClick(window.composer.edit, Qt.Key.Key_Return)
    assert window.banner.sentence == "No model is loaded yet."


def test_the_dialog_lists_none_and_exports_none(qtbot: QtBot, desk: Desk) -> None:
    desk.begin()
    dialog = desk.models.open()
    assert dialog.local.empty.isVisible()
    assert dialog.local.empty.accessibleName().startswith(NOT_HERE)
    dialog.show_page("export")
    wait(qtbot, lambda: dialog.export.form.model_box.count() > 0)
    assert dialog.export.form.takes.accessibleName().startswith(NOT_HERE)
    assert not dialog.export.form.export_button.isEnabled()
    assert dialog.local.list.keys() == []


def test_a_model_that_is_gone_has_nothing_in_its_place(qtbot: QtBot, desk: Desk, tmp_path: Path) -> None:
    gone = LocalModel(path=tmp_path / "gone", name="gone")
    desk.shell.change(replace(desk.shell.settings, model=gone.key, welcomed=True))
    desk.begin()
    assert desk.shell.window.banner.sentence == "gone is not here any more."
    assert desk.host.status.kind == "none"


def test_a_copied_model_answers_and_when_it_is_removed_its_process_has_ended_before(
    qtbot: QtBot, desk: Desk, bundles: Bundles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = model_library._why_not_removed
    left: list[set[int]] = []

    def looking(folder: Path, *, for_good: bool) -> str | None:
        left.append(children())
        return remove(folder, for_good=for_good)

    monkeypatch.setattr(model_library, "_why_not_removed", looking)
    place = copy_bundle(bundles("7b", "lut4"), models_folder(tmp_path / "data") / "copied")
    before = children()
    desk.begin()
    dialog: ModelsDialog = desk.models.open()
    key = f"bundle:{place}"
    wait(qtbot, lambda: dialog.local.list.keys() == [key])
    dialog.local.list.choose(key)
    dialog.local.details.load_button.click()
    wait(qtbot, lambda: desk.host.status.kind == "ready")
    assert children() - before
    desk.models.removal.ask(key, for_good=True)
    (button,) = [found for found in dialog.findChildren(QPushButton) if found.text() == "Delete for Good"]
    with frozen_models():  # so that it leaves only when it is killed
        button.click()
        wait(qtbot, lambda: not place.exists())
    assert [found <= before for found in left] == [True]
    wait(qtbot, lambda: dialog.local.list.keys() == [])
    assert desk.host.status.kind == "unloaded"


def test_windows_is_told_where_to_export(monkeypatch: pytest.MonkeyPatch) -> None:
    assert why_no_export() is None
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "win32")
        told = why_no_export()
    assert told is not None
    assert told.startswith("Models cannot be exported on Windows: export one on a Mac or on Linux, copy the bundle")
