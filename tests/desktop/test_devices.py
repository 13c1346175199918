"""Where models are computed: the choice, what the engine does with it, and what a check recommends."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.controllers.checks import better_device
from desktop.desk import Desk
from desktop.devices import Device, DeviceName, device, devices, name_of
from desktop.engine import EngineHost, LocalModel
from desktop.engine.runner import Failed
from desktop.library import DoctorState
from desktop.shell import Shell
from runtime import BackendUnavailableError, CoreMLError, DeviceMemoryError, EngineError, UserFacingError
from tests.desktop.engines import GREEDY, Told, end, lasting, question, wait


@pytest.fixture
def host(qtbot: QtBot, tiny: Path) -> Iterator[EngineHost]:
    """With the embedded model on the processor."""
    made = EngineHost()
    made.set_device(Device(backend="torch"))
    made.load(LocalModel(path=tiny, name="falcon-tiny-instruct"))
    wait(qtbot, lambda: made.status.kind == "ready")
    yield made
    made.close()


def test_each_system_has_its_devices_and_settings_of_another_take_the_best() -> None:
    assert list(devices("darwin")) == ["automatic", "gpu", "neural_engine", "processor"]
    assert list(devices("linux")) == list(devices("win32")) == ["automatic", "gpu", "processor"]
    assert device("neural_engine", "darwin") == Device(backend="coreml", compute_units="cpu_and_ne")
    assert device("gpu", "linux") == Device(backend="cuda")
    assert device("neural_engine", "linux") == Device()


@pytest.mark.parametrize("system", ["darwin", "linux"])
def test_every_device_is_found_by_what_it_stands_for(system: str) -> None:
    for name, offered in devices(system).items():
        assert name_of(offered.backend, offered.compute_units, system) == name
    assert name_of("reference", None, system) is None
    assert name_of("coreml", "cpu_only", system) is None


def test_another_device_loads_the_model_anew_and_the_same_one_does_nothing(qtbot: QtBot, host: EngineHost) -> None:
    kinds = []
    for backend in ("torch", "reference"):
        host.set_device(Device(backend=backend))
        kinds.append(host.status.kind)
    assert kinds == ["ready", "loading"]
    wait(qtbot, lambda: host.status.kind == "ready")
    assert host.status.info is not None
    assert host.status.info.backend == "reference"


def test_a_device_that_the_model_is_on_already_interrupts_no_answer(qtbot: QtBot, host: EngineHost, tiny: Path) -> None:
    host.set_device(Device())
    assert host.status.kind == "loading"  # nothing has shown what is the best here
    wait(qtbot, lambda: host.status.kind == "ready")
    assert host.status.info is not None
    named, told = Device(backend=host.status.info.backend), Told.by(host)
    host.ask(1, question(), lasting(tiny))
    wait(qtbot, lambda: bool(told.progress))
    for same in (named, Device(), named):
        host.set_device(same)
    assert told.kinds == ["answering"]
    assert told.ends == []
    host.set_device(Device(backend="reference"))
    assert host.status.kind == "loading"
    assert told.ends[0].state == "interrupted"


def test_compute_units_are_not_known_from_the_model(qtbot: QtBot, host: EngineHost) -> None:
    host.set_device(Device(backend="torch", compute_units="cpu_only"))
    assert host.status.kind == "loading"


def test_a_model_that_was_unloaded_is_loaded_there_by_the_next_question(qtbot: QtBot, host: EngineHost) -> None:
    host.unload()
    host.set_device(Device(backend="reference"))
    assert host.status.kind == "unloaded"
    told = Told.by(host)
    host.ask(1, question(), replace(GREEDY, max_new_tokens=1))
    wait(qtbot, lambda: bool(told.ends))
    assert host.status.info is not None
    assert host.status.info.backend == "reference"


def test_a_device_that_is_not_here_says_where_it_was_chosen(qtbot: QtBot, host: EngineHost) -> None:
    host.set_device(Device(backend="cuda" if sys.platform == "darwin" else "coreml"))
    wait(qtbot, lambda: host.status.kind == "failed")
    assert host.status.sentence.endswith("Settings, Compute on, says where models are computed.")
    assert "--backend" not in host.status.sentence
    assert host.status.elsewhere
    host.set_device(Device(backend="torch"))  # which needs no restart by hand
    wait(qtbot, lambda: host.status.kind == "ready")


@pytest.mark.parametrize(
    ("error", "is_told"),
    [
        (CoreMLError("No."), True),
        (DeviceMemoryError("No."), True),
        (BackendUnavailableError("No."), False),  # of no device in particular
        (EngineError("No."), False),
    ],
)
def test_what_another_device_may_mend_says_so(qtbot: QtBot, error: UserFacingError, is_told: bool) -> None:
    host = EngineHost()
    host._take_word(host._local, Failed(error))
    assert ("Compute on" in host.status.sentence) == is_told
    host.close()


@pytest.fixture
def desk(qapp: QApplication, tmp_path: Path) -> Iterator[Desk]:
    """A window without a model."""
    shell = Shell(qapp, tmp_path)
    shell.change(replace(shell.settings, language="en", welcomed=True))
    shell.window.show()
    desk = Desk(shell, tmp_path)
    yield desk
    end(desk)


def report(backend: str | None, unit: str | None = None, **statuses: str) -> dict[str, Any]:
    checks = [{"name": name.replace("_", " "), "status": status} for name, status in statuses.items()]
    return {"recommendation": {"backend": backend, "unit": unit}, "checks": checks}


def test_a_device_that_is_not_here_leads_to_the_settings_and_a_model_that_stopped_to_a_restart(desk: Desk) -> None:
    desk.host.load(LocalModel(path=Path("nowhere"), name="model"))
    desk.host.set_device(Device(backend="cuda"))
    banner = desk.shell.window.banner
    desk.host._take_word(desk.host._local, Failed(EngineError("It stopped.")))
    assert banner.button.text() == "Restart"
    refused = BackendUnavailableError("There is no card.", option="; choose --backend torch")
    desk.host._take_word(desk.host._local, Failed(refused))
    assert banner.sentence == "There is no card.\nSettings, Compute on, says where models are computed."
    banner.button.click()
    assert desk.shell.settings_dialog().isVisible()


@pytest.mark.parametrize(
    ("chosen", "found", "better"),
    [
        ("automatic", report("torch", coreml_on_gpu="unavailable", cuda="unavailable", torch="ok"), None),
        ("automatic", report("torch", cuda="wrong", torch="ok"), "processor"),
        ("automatic", report("cuda", cuda="ok", torch="ok"), None),
        ("processor", report("cuda", cuda="ok", torch="ok"), "gpu"),
        ("gpu", report("torch", cuda="unavailable", torch="ok"), "processor"),
        ("gpu", report("reference"), None),
        ("processor", report(None), None),
        ("neural_engine", report("cuda", cuda="ok", torch="ok"), None),  # settings that came from a Mac
    ],
)
def test_a_check_offers_what_is_better_than_the_choice(
    chosen: DeviceName, found: dict[str, Any], better: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("desktop.controllers.checks.name_of", lambda backend, unit: name_of(backend, unit, "linux"))
    monkeypatch.setattr("desktop.controllers.checks.device", lambda name: device(name, "linux"))
    assert better_device(found, chosen) == better


def test_what_the_check_offers_becomes_the_setting_and_the_engines_device(qtbot: QtBot, desk: Desk) -> None:
    desk.models.checks.job._state = DoctorState(
        kind="well", bundle=Path("tiny"), name="tiny", report=report("torch", cuda="wrong", torch="ok")
    )
    desk.models.checks._open()
    check = desk.models.checks.dialog
    assert check is not None
    assert check.device_button.isVisible()
    check.device_button.click()
    assert desk.shell.settings == replace(desk.shell.settings, compute_on="processor")
    assert not check.device_button.isVisible()
    assert desk.host._device == Device(backend="torch")
    check.close()
