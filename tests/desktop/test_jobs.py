"""Exports and examinations beside the window: real child processes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from desktop.controllers.welcome import LARGER
from desktop.library import KnownModel, list_known
from desktop.library.doctor_job import DoctorJob, DoctorState
from desktop.library.export_job import ExportJob, ExportRequest, ExportState
from desktop.stages import overall
from runtime import Bundle
from tests.desktop.engines import wait

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Core ML packages cannot be written on Windows")
Checkpoints = Callable[[str], Path]


@pytest.fixture
def job(qtbot: QtBot) -> Iterator[ExportJob]:
    made = ExportJob()
    yield made
    made.close()


@pytest.fixture
def request_7b(checkpoints: Checkpoints, tmp_path: Path) -> ExportRequest:
    return ExportRequest(model=str(checkpoints("7b")), output=tmp_path / "made" / "bundle", context_length=64)


def test_an_export_is_stopped_goes_on_and_ends_in_a_bundle(
    qtbot: QtBot, job: ExportJob, request_7b: ExportRequest
) -> None:
    states: list[ExportState] = []
    job.changed.connect(states.append)
    assert job.start(request_7b)
    assert not job.start(request_7b)
    wait(qtbot, lambda: bool(states[-1].stage))
    job.cancel()
    wait(qtbot, lambda: states[-1].over)
    assert states[-1].kind == "stopped"
    assert states[-1].error is None
    assert not request_7b.output.exists()
    assert not job.running
    states.clear()
    assert job.start(request_7b)
    wait(qtbot, lambda: states[-1].over)
    done = states[-1]
    assert (done.kind, done.error) == ("done", None), done.error
    assert done.bundle is not None
    assert Bundle.open(done.bundle).manifest.context_length == 64
    stages = list(dict.fromkeys(state.stage for state in states if state.stage))
    assert len(stages) > 3
    assert all(state.fraction is None or 0 <= state.fraction <= 1 for state in states)
    assert any(state.rate for state in states)


def test_an_export_that_cannot_be_is_the_exporters_own_sentence(qtbot: QtBot, job: ExportJob, tmp_path: Path) -> None:
    states: list[ExportState] = []
    job.changed.connect(states.append)
    job.start(ExportRequest(model="--lut5", output=tmp_path / "b"))
    wait(qtbot, lambda: states[-1].over)
    assert states[-1].kind == "failed"
    assert "model" in (states[-1].error or "")


def test_an_option_of_the_exporters_is_not_told_in_the_window(job: ExportJob) -> None:
    job._state = ExportState(kind="running", request=ExportRequest(model="7b", output=Path("b")))
    event = {"event": "error", "kind": "HubError", "message": "Try again, or with --offline.", "sentence": "Try again."}
    job._read(json.dumps(event))
    assert job._state.error == "Try again."


def test_leaving_stops_an_export_at_once_even_one_that_has_not_begun(
    qtbot: QtBot, job: ExportJob, request_7b: ExportRequest
) -> None:
    job.start(request_7b)
    job.close()
    assert job.state is not None
    assert job.state.kind == "stopped"
    assert not job.running
    job.start(request_7b)
    states: list[ExportState] = []
    job.changed.connect(states.append)
    qtbot.wait(50)
    job.close()
    assert [state.kind for state in states if state.over] == ["stopped"]
    assert states[-1].kind == "stopped"


def test_a_request_says_every_option_of_the_command_line() -> None:
    request = ExportRequest(
        model="m", output=Path("o"), size="3.6GB", context_length=9, calibrate=Path("t"), offline=True, force=True
    )
    assert request.arguments() == [
        *("m", "--output", "o", "--progress", "json", "--size", "3.6GB", "--context", "9", "--calibrate", "t"),
        *("--offline", "--force"),
    ]


def test_the_exporter_names_the_models_it_knows(qtbot: QtBot, job: ExportJob) -> None:
    known: list[KnownModel] = []
    list_known(known.extend, job)
    wait(qtbot, lambda: bool(known))
    by_name = {model.name: model for model in known}
    listed = by_name[LARGER.name]
    told = {weights: listed.takes[weights] for weights in LARGER.takes}
    assert replace(listed, takes=told) == LARGER, "the first start tells what the exporter would"
    assert by_name["falcon-tiny-instruct"].download == 0


def test_the_doctor_examines_a_bundle_and_reports(qtbot: QtBot, tiny: Path) -> None:
    doctor = DoctorJob()
    states: list[DoctorState] = []
    doctor.changed.connect(states.append)
    assert doctor.start(tiny)
    assert not doctor.start(tiny)
    wait(qtbot, lambda: states[-1].over)
    last = states[-1]
    assert (last.kind, last.error) == ("well", None)
    assert last.report["bundle"]["name"] == "falcon-tiny-instruct"
    assert "reference" in last.text
    assert any(state.step for state in states)


def test_the_doctors_refusal_is_its_sentence_and_it_can_be_stopped(qtbot: QtBot, tiny: Path, tmp_path: Path) -> None:
    doctor = DoctorJob()
    states: list[DoctorState] = []
    doctor.changed.connect(states.append)
    doctor.start(tmp_path)
    wait(qtbot, lambda: states[-1].over)
    refused = states[-1]
    assert refused.kind == "failed"
    assert "is not a bundle" in (refused.error or "")
    doctor.start(tiny)
    wait(qtbot, lambda: bool(states[-1].step))
    doctor.close()
    assert states[-1].kind == "stopped"


def test_where_nothing_is_fetched_an_export_begins_at_nothing_and_ends_whole() -> None:
    assert overall("hash", 0.0, fetched=False) == 0
    assert overall("seal", 1.0, fetched=False) == overall("seal", 1.0) == 1
    assert overall("hash", 0.0) == overall("download", 1.0) != 0
    assert overall("", 0.0) is overall("download", 0.5, fetched=False) is None
