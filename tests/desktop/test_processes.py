"""ModuleProcess: what it asks of the system besides a process. What it does with one is in test_jobs.py."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QProcess
from pytestqt.qtbot import QtBot

from desktop.library.processes import ModuleProcess
from tests.desktop.engines import wait


@pytest.mark.parametrize(("system", "asked"), [("darwin", True), ("linux", False)])
def test_a_mac_stays_awake_as_long_as_the_process_runs(
    system: str, asked: bool, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(QProcess, "startDetached", lambda program, arguments: begun.append((program, arguments)))
    pids: list[int] = []
    process = ModuleProcess("export", ["list", "--json"])
    process._process.started.connect(lambda: pids.append(process._process.processId()))
    monkeypatch.setattr("desktop.library.processes.sys.platform", system)
    wait(qtbot, lambda: not process.running)
    assert begun == ([("/usr/bin/caffeinate", ["-i", "-w", str(pids[0])])] if asked else [])
