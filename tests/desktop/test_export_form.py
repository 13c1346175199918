"""The form of an export: known models, folders, and any other model of the Hub by its name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QDialog, QPushButton, QVBoxLayout
from pytestqt.qtbot import QtBot

from desktop.controllers.welcome import LARGER
from desktop.library import ExportRequest, ExportState, KnownModel
from desktop.views.models.export_form import ExportForm
from desktop.views.models.export_progress import ExportProgress

KNOWN = [
    KnownModel(name="falcon-tiny-instruct", hub="falconet/falcon-tiny-instruct", parameters="embedded"),
    replace(LARGER, name="falcon-7b", hub="tiiuae/falcon-7b"),
]
UNTOLD = "The exporter says what it needs"


@pytest.fixture
def form(qtbot: QtBot) -> ExportForm:
    made = ExportForm()
    qtbot.addWidget(made)
    made.set_known(KNOWN)
    made.show()
    return made


def choose_another(form: ExportForm) -> None:
    form.model_box.setCurrentIndex(form.model_box.count() - 1)


def asked_by(form: ExportForm) -> list[tuple[str, str]]:
    asked: list[tuple[str, str]] = []
    form.exportRequested.connect(lambda model, weights: asked.append((model, weights)))
    return asked


def test_a_name_is_asked_for_only_where_another_model_is_chosen(form: ExportForm) -> None:
    assert not form.name.isVisible()
    choose_another(form)
    assert form.name.isVisible()
    assert form.name.placeholderText() == "OWNER/NAME"
    assert form.name.accessibleName() == "Its name there"
    assert "such as tiiuae/falcon-rw-7b" in form.takes.accessibleName()
    form.model_box.setCurrentIndex(0)
    assert not form.name.isVisible()


def test_another_model_is_exported_by_its_name(form: ExportForm, qtbot: QtBot) -> None:
    asked = asked_by(form)
    choose_another(form)
    for written, can in (("", False), ("tiiuae", False), ("tiiuae/", False), ("tiiuae/falcon-11B", True)):
        form.name.clear()
        qtbot.keyClicks(form.name, written)
        assert form.export_button.isEnabled() == can, written
    assert UNTOLD in form.takes.accessibleName()
    form.export_button.click()
    assert asked == [("tiiuae/falcon-11B", "lut4")]


@pytest.mark.parametrize(
    "wrong",
    ["falcon-7b", "a/b/c", "../falcon", "/work/falcon", "tiiuae/falcon 7b", "https://huggingface.co/a/b", "a/-b"],
)
def test_what_the_exporter_takes_for_no_name_is_not_asked_for(form: ExportForm, wrong: str) -> None:
    asked = asked_by(form)
    choose_another(form)
    form.name.setText(wrong)
    assert not form.export_button.isEnabled()
    form.name.entered.emit()
    assert asked == []


def test_a_known_model_is_known_by_its_name_on_the_hub_too(form: ExportForm) -> None:
    choose_another(form)
    form.name.setText(" TIIUAE/falcon-7b ")
    assert form.takes.accessibleName().startswith("About 14.4\N{NO-BREAK SPACE}GB to download")
    assert form.model() == "TIIUAE/falcon-7b"


def test_enter_exports_once_and_presses_no_button_of_the_dialog(qtbot: QtBot) -> None:
    dialog, form, pressed = QDialog(), ExportForm(), []
    form.set_known(KNOWN)
    qtbot.addWidget(dialog)
    button = QPushButton("Close")
    button.setDefault(True)
    button.clicked.connect(lambda: pressed.append(True))
    layout = QVBoxLayout(dialog)
    layout.addWidget(button)
    layout.addWidget(form)
    dialog.show()
    asked = asked_by(form)
    choose_another(form)
    form.name.setFocus()
    qtbot.keyClicks(form.name, "tiiuae/falcon-11B")
    qtbot.keyClick(form.name, Qt.Key.Key_Return)
    assert (asked, pressed) == ([("tiiuae/falcon-11B", "lut4")], [])


def test_what_was_chosen_stays_when_the_models_are_told_again(form: ExportForm) -> None:
    form.add_folder(Path("/somewhere/falcon"))
    choose_another(form)
    form.name.setText("tiiuae/falcon-11B")
    form.set_known(KNOWN)
    assert form.model() == "tiiuae/falcon-11B"
    data = [form.model_box.itemData(place) for place in range(form.model_box.count())]
    assert data[:3] == ["falcon-tiny-instruct", "falcon-7b", str(Path("/somewhere/falcon"))]
    assert len(data) == 4, "one place for another model"


def test_a_folder_stands_before_the_choice_of_another_model(form: ExportForm) -> None:
    form.add_folder(Path("/somewhere/falcon"))
    assert form.model() == str(Path("/somewhere/falcon"))
    assert UNTOLD in form.takes.accessibleName()
    choose_another(form)
    assert form.name.isVisible()


def test_without_an_exporter_no_name_is_asked_for(form: ExportForm) -> None:
    form.set_known([])
    assert form.model_box.count() == 0
    assert not form.name.isVisible()
    assert not form.export_button.isEnabled()


def test_no_text_above_moves_the_button_that_exports(form: ExportForm) -> None:
    form.resize(700, 480)
    QApplication.processEvents()
    before = form.export_button.geometry()
    choose_another(form)  # a field comes
    QApplication.processEvents()
    assert form.export_button.geometry() == before
    form.takes.set_plain("One line more.\n" * 5)
    QApplication.processEvents()
    assert form.export_button.geometry() == before


def test_no_text_above_moves_the_button_that_stops_an_export(qtbot: QtBot) -> None:
    progress = ExportProgress()
    qtbot.addWidget(progress)
    progress.resize(700, 480)
    progress.show()
    running = ExportState(kind="running", request=ExportRequest(model="falcon-7b", output=Path("falcon-7b-lut4")))
    progress.set_state(running)
    QApplication.processEvents()
    before = progress.cancel_button.geometry()
    assert progress.rect().contains(before)
    notes = ("The export needs room on the disk, " * 9,)
    progress.set_state(replace(running, stage="verify", done=1, total=9, unit="layers", notes=notes))
    QApplication.processEvents()
    assert progress.cancel_button.geometry() == before
