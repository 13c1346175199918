"""DoctorJob: `python -m runtime doctor BUNDLE` beside the window, and its report."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from PySide6.QtCore import QObject, Signal

from desktop.library.processes import CLOSE_MILLISECONDS, ModuleProcess


@dataclass(frozen=True, kw_only=True)
class DoctorState:
    """How an examination is. `wrong`: it ended and found a fault, which `error` names; `failed`: it could not end."""

    kind: Literal["running", "stopped", "well", "wrong", "failed"]
    bundle: Path
    name: str  # of the model, for people
    step: str = ""  # the doctor's own words: a device and what is done on it
    text: str = ""  # all findings, for people
    report: dict[str, Any] = field(default_factory=dict)  # as `doctor --json` writes it, to send with a bug
    error: str | None = None  # a sentence

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.kind != "running"


class DoctorJob(QObject):
    """One examination after the other. Each device is tried in a process of its own, so nothing here can crash."""

    changed = Signal(object)  # DoctorState; the last one is `over`

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state: DoctorState | None = None
        self._process: ModuleProcess | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._stopping = False

    @property
    def state(self) -> DoctorState | None:
        """Of the examination under way or the last one."""
        return self._state

    @property
    def running(self) -> bool:
        """Whether one is under way."""
        return self._process is not None

    def start(self, bundle: Path, name: str | None = None) -> bool:
        """Examine a bundle; `name`: what the user knows it by, its folder's name where left out. False, and
        nothing happens, while another is examined."""
        if self.running:
            return False
        self._stopping = False
        self._folder = tempfile.TemporaryDirectory(prefix="falconet-report-")
        arguments = ["doctor", str(bundle), "--json", str(self._report_file(self._folder))]
        self._process = ModuleProcess("runtime", arguments, self)
        self._process.said.connect(self._read)
        self._process.ended.connect(self._end)
        self._set(DoctorState(kind="running", bundle=bundle, name=name or bundle.name))
        return True

    def cancel(self) -> None:
        """Stop."""
        if self._process is not None:
            self._stopping = True
            self._process.stop()

    def close(self, milliseconds: int = CLOSE_MILLISECONDS) -> None:
        """Stop within so long, for a program that leaves."""
        if self._process is not None:
            self._stopping = True
            self._process.close(milliseconds)

    def _read(self, line: str) -> None:
        state = self._state
        if state is None or not line.strip():
            return
        if line.startswith("error: "):
            self._state = replace(state, error=line.removeprefix("error: "))
        else:
            self._set(replace(state, step=line.strip()))

    def _end(self, code: int, out: str) -> None:
        state, process, folder = self._state, self._process, self._folder
        if state is None or process is None or folder is None:
            return
        self._process = self._folder = None
        process.deleteLater()
        report = _read_report(self._report_file(folder))
        folder.cleanup()
        state = replace(state, step="", text=out.strip(), report=report)
        if self._stopping:
            self._set(replace(state, kind="stopped", error=None))
        elif code == 0:
            self._set(replace(state, kind="well", error=None))
        elif report:
            self._set(replace(state, kind="wrong"))
        else:
            broke = self.tr("The examination broke down (exit code {code}); try it again.").format(code=code)
            self._set(replace(state, kind="failed", error=state.error or broke))

    @staticmethod
    def _report_file(folder: tempfile.TemporaryDirectory[str]) -> Path:
        return Path(folder.name) / "report.json"

    def _set(self, state: DoctorState) -> None:
        self._state = state
        self.changed.emit(state)


def _read_report(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
