"""ExportJob: `python -m export MODEL --progress json` beside the window, and what is known of how far it is."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from PySide6.QtCore import QObject, Signal

from desktop.library.processes import CLOSE_MILLISECONDS, ModuleProcess
from desktop.stages import overall
from desktop.told import told_as

_NOTES = 50  # that are kept


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What to export: a known name, OWNER/NAME of the Hub or a folder in Hugging Face layout. `size`, such as 3.6GB,
    takes the place of `weights`."""

    model: str
    output: Path
    weights: str = "lut4"
    size: str | None = None
    context_length: int | None = None  # tokens
    calibrate: Path | None = None  # a text file
    offline: bool = False
    force: bool = False  # replace a bundle that is there

    def arguments(self) -> list[str]:
        """Of the command line. The same ones again go on with what was finished before."""
        found = [self.model, "--output", str(self.output), "--progress", "json"]
        found += ["--size", self.size] if self.size else ["--weights", self.weights]
        if self.context_length is not None:
            found += ["--context", str(self.context_length)]
        if self.calibrate is not None:
            found += ["--calibrate", str(self.calibrate)]
        found += ["--offline"] * self.offline + ["--force"] * self.force
        return found


@dataclass(frozen=True, kw_only=True)
class ExportState:
    """How an export is. `stopped`: by the user; what is finished is kept, and the same request goes on from there."""

    kind: Literal["running", "stopping", "stopped", "done", "failed"]
    request: ExportRequest
    stage: str = ""  # the exporter's word; empty while it starts
    fraction: float | None = None  # of this stage, 0 to 1
    done: int = 0
    total: int = 0
    unit: str = ""  # of `done` and `total`: bytes, matrices, ...
    rate: float | None = None  # units a second
    seconds_left: float | None = None  # of this stage
    notes: tuple[str, ...] = ()  # what the exporter wants people to know
    error: str | None = None  # a sentence
    bundle: Path | None = None  # where it is

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.kind in ("stopped", "done", "failed")

    @property
    def share(self) -> float | None:
        """Of all stages, 0 to 1; None while the exporter starts. Never less than in a stage before."""
        return 1.0 if self.kind == "done" else overall(self.stage, self.fraction or 0.0)


class ExportJob(QObject):
    """One export after the other. It goes on whatever the window shows, and stops when the program leaves."""

    changed = Signal(object)  # ExportState, ten times a second at most; the last one is `over`

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state: ExportState | None = None
        self._process: ModuleProcess | None = None
        self._last_line = ""

    @property
    def state(self) -> ExportState | None:
        """Of the export under way or the last one; None before the first."""
        return self._state

    @property
    def running(self) -> bool:
        """Whether one is under way."""
        return self._process is not None

    def start(self, request: ExportRequest) -> bool:
        """Begin, or go on with, an export. False, and nothing happens, while another is under way."""
        if self.running:
            return False
        self._last_line = ""
        self._process = ModuleProcess("export", request.arguments(), self)
        self._process.said.connect(self._read)
        self._process.ended.connect(self._end)
        self._set(ExportState(kind="running", request=request))
        return True

    def cancel(self) -> None:
        """Stop at the next safe place, or after a few seconds wherever it is."""
        if self._process is not None and self._state is not None:
            self._set(replace(self._state, kind="stopping", seconds_left=None))
            self._process.stop()

    def close(self, milliseconds: int = CLOSE_MILLISECONDS) -> None:
        """Stop within so long; the same export goes on when it is asked for again."""
        if self._process is not None and self._state is not None:
            self._state = replace(self._state, kind="stopping")
            self._process.close(milliseconds)

    def _read(self, line: str) -> None:
        state = self._state
        if state is None or not line.strip():
            return
        event = parse_event(line)
        match event.get("event"):
            case "start" | "advance" | "finish":
                self._set(_advanced(state, event))
            case "note":
                self._set(replace(state, notes=(*state.notes, str(event.get("text", "")))[-_NOTES:]))
            case "error":
                message = str(event.get("sentence", event.get("message", ""))).strip()
                self._state = replace(state, error=told_as([str(event.get("kind"))], message))
            case "done":
                self._state = replace(state, bundle=Path(str(event.get("bundle", ""))))
            case _:
                self._last_line = line.strip()

    def _end(self, code: int, _: str) -> None:
        state, process = self._state, self._process
        if state is None or process is None:
            return
        self._process = None
        process.deleteLater()
        if code == 0:
            bundle = state.bundle or state.request.output
            self._set(replace(state, kind="done", fraction=1.0, seconds_left=None, error=None, bundle=bundle))
        elif state.kind == "stopping" or code == 130:
            self._set(replace(state, kind="stopped", error=None, seconds_left=None))
        else:
            self._set(replace(state, kind="failed", error=state.error or self._why(code), seconds_left=None))

    def _why(self, code: int) -> str:
        if code == -getattr(signal, "SIGKILL", 9):  # which Windows has no name for
            return self.tr(
                "The export was ended by the system, as happens when memory runs out; close other programs and start "
                "it again: it goes on where it was."
            )
        text = self.tr("The export broke down ({reason}); start it again: it goes on where it was.")
        return text.format(reason=self._last_line[:200] or self.tr("exit code {code}").format(code=code))

    def _set(self, state: ExportState) -> None:
        self._state = state
        self.changed.emit(state)


def parse_event(line: str) -> dict[str, Any]:
    """A line as data; nothing for one that is no JSON object, as a library's warning."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _advanced(state: ExportState, event: dict[str, Any]) -> ExportState:
    done, total = int(event.get("done") or 0), int(event.get("total") or 0)
    finished = event.get("event") == "finish"
    return replace(
        state,
        stage=str(event.get("stage", "")),
        fraction=1.0 if finished else (min(done / total, 1.0) if total else None),
        done=done,
        total=total,
        unit=str(event.get("unit", "")),
        rate=event.get("rate"),
        seconds_left=event.get("seconds_left"),
    )
