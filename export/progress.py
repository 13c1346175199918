"""Progress of long work: what a terminal, a log or a program is told about each stage."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TextIO

from runtime.sizes import data_size

_REDRAW_SECONDS = 0.1
_BAR_WIDTH = 24


class Progress(Protocol):
    """Told of stages in turn; `unit` is what `total` and `done` count ("bytes" are shown as kB, MB or GB)."""

    def note(self, text: str) -> None:
        """Something to know between stages."""

    def start(self, stage: str, total: int, unit: str) -> None:
        """A stage begins."""

    def advance(self, done: int) -> None:
        """`done` of the stage's total are finished."""

    def finish(self) -> None:
        """The stage is over."""

    def close(self) -> None:
        """No more will come, whether the work ended well or not."""


def advance_from(progress: Progress, done: int) -> Callable[[int], None]:
    """For one of several files: tells `progress` what is finished of it, with `done` before it."""
    return lambda count: progress.advance(done + count)


@dataclass
class _Stage:
    name: str = ""
    total: int = 0
    unit: str = ""
    done: int = 0
    begun: float = field(default_factory=time.monotonic)
    first: int | None = None  # what was already done when the rate's clock started

    def advance(self, done: int) -> None:
        if self.first is None:
            self.first, self.begun = done, time.monotonic()
        self.done = done

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.begun

    @property
    def rate(self) -> float:
        """Units a second; what an earlier run had done does not count."""
        return (self.done - (self.first or 0)) / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        return (self.total - self.done) / self.rate if self.rate > 0 else None


class TerminalProgress:
    """One line a stage, redrawn in place where `stream` is a terminal and written once where it is not."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._stage = _Stage()
        self._stage_begun = 0.0
        self._drawn = 0.0

    def note(self, text: str) -> None:
        self._write(text, end="\n")

    def start(self, stage: str, total: int, unit: str) -> None:
        self._stage = _Stage(stage, total, unit)
        self._stage_begun = time.monotonic()
        self._drawn = 0.0
        self._draw()

    def advance(self, done: int) -> None:
        self._stage.advance(done)
        self._draw()

    def finish(self) -> None:
        seconds = time.monotonic() - self._stage_begun
        amount = _amount(self._stage.total, self._stage.unit)
        self._write(f"{self._stage.name:<12} {amount:>16}  {_duration(seconds):>8}", end="\n")

    def close(self) -> None:
        if self._live:  # what is said next, an error perhaps, begins on a clean line
            self._write("", end="")

    def _draw(self) -> None:
        now = time.monotonic()
        if not self._live or now - self._drawn < _REDRAW_SECONDS:
            return
        self._drawn = now
        stage = self._stage
        share = min(1.0, stage.done / stage.total) if stage.total else 0.0
        filled = round(share * _BAR_WIDTH)
        text = f"{stage.name:<12} {'█' * filled}{'·' * (_BAR_WIDTH - filled)} {share:4.0%}"
        if stage.rate > 0:
            text += f"  {_amount(stage.rate, stage.unit)}/s"
        if stage.seconds_left is not None:
            text += f"  {_duration(stage.seconds_left)} left"
        self._write(text, end="")

    def _write(self, text: str, *, end: str) -> None:
        self._stream.write(f"\r\x1b[K{text}{end}" if self._live else f"{text}{end}")
        self._stream.flush()


class JsonProgress:
    """One JSON object a line, for programs: events `start`, `advance` (ten a second at most) and `finish`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._stage = _Stage()
        self._written = 0.0

    def note(self, text: str) -> None:
        self._stream.write(json.dumps({"event": "note", "text": text}) + "\n")
        self._stream.flush()

    def start(self, stage: str, total: int, unit: str) -> None:
        self._stage = _Stage(stage, total, unit)
        self._write("start")

    def advance(self, done: int) -> None:
        self._stage.advance(done)
        if time.monotonic() - self._written >= _REDRAW_SECONDS:
            self._write("advance", rate=self._stage.rate, seconds_left=self._stage.seconds_left)

    def finish(self) -> None:
        self._write("finish", seconds=self._stage.seconds)

    def close(self) -> None:
        """Nothing: every line is whole."""

    def _write(self, event: str, **figures: float | None) -> None:
        self._written = time.monotonic()
        stage = self._stage
        line = {"event": event, "stage": stage.name, "done": stage.done, "total": stage.total, "unit": stage.unit}
        self._stream.write(json.dumps(line | figures) + "\n")
        self._stream.flush()


class SilentProgress:
    """Says nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def start(self, stage: str, total: int, unit: str) -> None:
        """Nothing."""

    def advance(self, done: int) -> None:
        """Nothing."""

    def finish(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def _amount(value: float, unit: str) -> str:
    if unit == "bytes":
        return data_size(value)
    if value >= 1e6:
        return f"{value / 1e6:.1f} M {unit}"
    return f"{value:,.0f} {unit}" if value >= 10 or value == int(value) else f"{value:.1f} {unit}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
