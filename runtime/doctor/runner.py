"""Runs one child and says how it ended: by itself, refused, dead, silent for too long, or stopped for want of time."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from runtime.doctor.plan import Job
from runtime.launch import module_command
from runtime.process_end import crash_name, kill_group

Scores = npt.NDArray[np.float32]
Notice = Callable[[str], None]

_LOG_BYTES = 16_384  # of the end of what a child printed
_LAST_WORDS_SECONDS = 10  # for a child that has said all to end


class End(StrEnum):
    """How a child ended."""

    FINISHED = "finished"
    UNAVAILABLE = "unavailable"
    CRASHED = "crashed"
    HUNG = "hung"
    OUT_OF_TIME = "out of time"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Seconds without a word that count as a hang, seconds in all, and for each of the two measures of speed."""

    load_seconds: float = 900
    step_seconds: float = 300
    total_seconds: float = 3600
    measure_seconds: float = 20


@dataclass(kw_only=True)
class Run:
    """What one child did. Figures that it did not come to are None; `scores` [rows, V] may be cut short."""

    end: End = End.FINISHED
    reason: str = ""  # for all ends but FINISHED
    phase: str = "start"  # start, load, score, speed, reload, close: where it ended
    vocab_size: int | None = None
    load_seconds: float | None = None
    second_load_seconds: float | None = None
    prefill_tokens_per_second: float | None = None
    decode_tokens_per_second: float | None = None
    peak_bytes: int | None = None
    continuations: list[list[int]] = field(default_factory=list)
    scores: Scores = field(default_factory=lambda: np.empty((0, 0), np.float32))
    log: str = ""  # the end of what it printed


def run(job: Job, limits: Limits, notice: Notice) -> Run:
    """Start a child for `job`, wait, and clean up, whatever happens: also when this raises KeyboardInterrupt.

    `notice` gets a few words each time that something was done.
    """
    result = Run()
    with tempfile.TemporaryFile() as log, _child(log) as process:
        watch = _Watch(job, result, limits, notice)
        events = _events(process)
        with contextlib.suppress(BrokenPipeError):  # dead before it could read: its end tells
            assert process.stdin is not None
            process.stdin.write(json.dumps(job.to_json()).encode() + b"\n")
            process.stdin.flush()
        if watch.follow(events):
            _note_exit(process, watch)
        _stop(process)
        result.log = _tail(log)
    result.scores = _read_scores(Path(job.scores), result.vocab_size)
    return result


class _Watch:
    """Takes the events of one child into a Run, under its limits."""

    def __init__(self, job: Job, result: Run, limits: Limits, notice: Notice) -> None:
        self.result = result
        self.said_all = False
        self.exception = ""
        self._job = job
        self._limits = limits
        self._notice = notice
        self._scored = 0

    def follow(self, events: queue.Queue[dict[str, Any] | None]) -> bool:
        """Read events until the child closes its side (True) or a limit is passed (False)."""
        finish = time.monotonic() + self._limits.total_seconds
        while True:
            loading = self.result.phase in ("start", "load", "reload")
            patience = self._limits.load_seconds if loading else self._limits.step_seconds
            left = finish - time.monotonic()
            try:
                event = events.get(timeout=max(min(patience, left), 0))
            except queue.Empty:
                self._give_up(patience, out_of_time=left <= patience)
                return False
            if event is None:
                return True
            self._take(event)

    def _give_up(self, patience: float, *, out_of_time: bool) -> None:
        if out_of_time:
            self.result.end = End.OUT_OF_TIME
            self.result.reason = f"it was stopped after {self._limits.total_seconds:,.0f} s"
        else:
            self.result.end = End.HUNG
            self.result.reason = f"nothing was heard of it for {patience:,.0f} s"

    def _take(self, event: dict[str, Any]) -> None:
        result = self.result
        match event["event"]:
            case "started":
                self._enter("load", "loading")
            case "unavailable":
                result.end, result.reason, self.said_all = End.UNAVAILABLE, str(event["reason"]), True
            case "loaded":
                result.load_seconds, result.vocab_size = float(event["seconds"]), int(event["vocab_size"])
                self._enter("score", f"loaded in {result.load_seconds:.1f} s")
            case "scored":
                self._scored += 1
                self._notice(f"scored {self._scored} of {self._job.rows}")
                if self._scored == self._job.rows:
                    self._enter("speed", "measuring speed" if self._job.speed else "")
            case "continued":
                result.continuations.append([int(token) for token in event["tokens"]])
            case "speed":
                result.prefill_tokens_per_second = event["prefill_tokens_per_second"]
                result.decode_tokens_per_second = event["decode_tokens_per_second"]
            case "memory":
                result.peak_bytes = event["peak_bytes"]
                self._enter("reload", "loading again" if self._job.reload else "")
            case "reloaded":
                result.second_load_seconds = float(event["seconds"])
            case "exception":
                self.exception = f"{event['type']}: {event['message']}".strip(": ")
            case "done":
                self.said_all = True
                self._enter("close", "")

    def _enter(self, phase: str, words: str) -> None:
        self.result.phase = phase
        if words:
            self._notice(words)


def _note_exit(process: subprocess.Popen[bytes], watch: _Watch) -> None:
    """The child has closed its side: how did it go?"""
    result = watch.result
    try:
        code = process.wait(_LAST_WORDS_SECONDS)
    except subprocess.TimeoutExpired:
        result.end, result.reason = End.HUNG, "it did not end"
        return
    if watch.said_all and code == 0:
        return
    result.end = End.CRASHED
    name = crash_name(code)
    if name is not None:
        killed = ", as the system does when memory runs out" if name == "SIGKILL" else ""
        result.reason = f"the process died of {name}{killed}"
    else:
        result.reason = watch.exception or f"the process left with exit code {code}"


@contextlib.contextmanager
def _child(log: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A probe that imports what this process can import; killed at the end if it still lives."""
    process = subprocess.Popen(
        module_command("runtime.doctor.probe"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env={**os.environ, "PYTHONFAULTHANDLER": "1"},
        start_new_session=True,  # Ctrl-C reaches this process only, which then ends the child
    )
    try:
        yield process
    finally:
        _stop(process)
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if stream:
                    stream.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        kill_group(process)
    process.wait()


def _events(process: subprocess.Popen[bytes]) -> queue.Queue[dict[str, Any] | None]:
    """A queue that a thread fills with the child's events; None is the end. Lines that are no events are skipped."""
    found: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        with contextlib.suppress(ValueError, OSError):  # closed under the reader, when the child is stopped
            for line in process.stdout:
                event = _parsed(line)
                if event is not None:
                    found.put(event)
        found.put(None)

    threading.Thread(target=read, daemon=True).start()
    return found


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


def _tail(log: IO[bytes]) -> str:
    log.seek(0, os.SEEK_END)
    log.seek(max(log.tell() - _LOG_BYTES, 0))
    return log.read().decode(errors="replace")


def _read_scores(path: Path, vocab_size: int | None) -> Scores:
    """Whole rows of the file; a row that a dying child left unfinished is dropped."""
    if not vocab_size or not path.exists():
        return np.empty((0, 0), np.float32)
    values = np.fromfile(path, np.float32)
    rows = len(values) // vocab_size
    return values[: rows * vocab_size].reshape(rows, vocab_size)
