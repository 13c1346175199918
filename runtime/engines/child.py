"""Child: one process that runs a model, what is asked of it and what it says. It never blocks who asks.

One thread writes to the child, one reads what it says, one reads what it prints, one waits for its end.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

from runtime.engines.base import EngineInfo
from runtime.engines.wire import from_line, to_line, unpack, unpack_error
from runtime.errors import EngineError
from runtime.launch import module_command
from runtime.process_end import crash_name, kill_group

_log = logging.getLogger(__name__)
_PRINTED_BYTES = 16_384  # of the end of what a child printed
_LINE_SHOWN = 160  # characters of its last line that a sentence quotes
_LAST_WORDS_SECONDS = 2.0  # for a child that has closed its side to end
_LEAVE_SECONDS = 0.4  # for a child whose parent closed its side


@dataclass(frozen=True, kw_only=True)
class Limits:
    """When patience with a child ends, in seconds, and how many may die."""

    load_seconds: float = 900  # Core ML's first compilation takes minutes
    silence_seconds: float = 300  # without a word while it owes one
    grace_seconds: float = 10  # from a cancellation to its effect: a piece of a prompt may be under way
    crashes: int = 3  # within `crash_seconds`; then no child is started until the oldest is that long ago
    crash_seconds: float = 60


@dataclass(frozen=True)
class Reply:
    """What the child said to a call; `gone`: it is dead and will say nothing."""

    say: str
    value: Any = None


class Call:
    """One thing asked of the child. `inbox` holds its replies in order."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.inbox: queue.SimpleQueue[Reply] = queue.SimpleQueue()
        self.asked_at = monotonic()
        self.cancelled_at: float | None = None

    def reply(self, seconds: float) -> Reply | None:
        """The next reply, or None where none came within `seconds`."""
        try:
            return self.inbox.get(timeout=seconds)
        except queue.Empty:
            return None


class Child:
    """A process, started at once. `loading` is the call that opens its bundle."""

    def __init__(self, arguments: Mapping[str, str | None], limits: Limits) -> None:
        self.info: EngineInfo | None = None  # once it has loaded
        self.failure: Exception | None = None  # why it could not load
        self.killed_because = ""  # it was this side that ended it
        self.stubborn = False  # as it did not stop when it was told to
        self.gone = threading.Event()
        self._limits = limits
        self._lock = threading.Lock()
        self._calls: dict[int, Call] = {}  # those that still get replies
        self._numbers = itertools.count()
        self._to_write: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._printed = bytearray()
        self._process = _start()
        self._begun = self._heard = self._loaded = monotonic()
        self._readers = [threading.Thread(target=work, daemon=True) for work in (self._read, self._read_printed)]
        for reader in self._readers:
            reader.start()
        for work in (self._write, self._wait):  # the last joins the readers: a child may be gone already
            threading.Thread(target=work, daemon=True).start()
        self.loading = self.call("open", list(arguments.items()))

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def call(self, name: str, arguments: list[Any]) -> Call:
        """Ask for `name` with packed `arguments`."""
        with self._lock:
            call = Call(next(self._numbers))
            if self.gone.is_set():
                call.inbox.put(Reply("gone"))
                return call
            self._calls[call.number] = call
        self._to_write.put(to_line({"do": name, "call": call.number, "arguments": arguments}))
        return call

    def cancel(self, call: Call) -> None:
        """The replies to `call` are not wanted any more. Waits for nothing."""
        if call.cancelled_at is None:
            call.cancelled_at = monotonic()
            self._to_write.put(to_line({"do": "cancel", "call": call.number}))

    def check(self) -> None:
        """Kill the child where it has been silent for too long; its calls then get `gone`."""
        now, limits = monotonic(), self._limits
        if self.gone.is_set() or self.killed_because:
            return
        if self.info is None:
            if now - self._begun > limits.load_seconds:
                self.kill(f"it had not loaded the model after {limits.load_seconds:g} s")
            return
        with self._lock:
            calls = list(self._calls.values())
        cancelled = [max(call.cancelled_at, self._loaded) for call in calls if call.cancelled_at is not None]
        if cancelled and now - min(cancelled) > limits.grace_seconds:
            self.stubborn = True
            self.kill(f"it went on for {limits.grace_seconds:g} s after it was told to stop")
        elif calls and now - max(self._heard, min(call.asked_at for call in calls)) > limits.silence_seconds:
            self.kill(f"nothing was heard of it for {limits.silence_seconds:g} s")

    def kill(self, reason: str) -> None:
        """End it at once."""
        self.killed_because = self.killed_because or reason
        if self._process.returncode is None:
            kill_group(self._process)

    def leave(self) -> None:
        """Let it leave when it can. Waits for nothing."""
        self._to_write.put(None)

    def close(self) -> None:
        """Let it leave, and kill it where it does not. Returns within a second or two."""
        self.leave()
        if not self.gone.wait(_LEAVE_SECONDS):
            self.kill("it was closed")
            self.gone.wait(1)

    @property
    def was_killed(self) -> bool:
        """Whether another than this side killed it."""
        return not self.killed_because and crash_name(self._process.returncode or 0) == "SIGKILL"

    def describe_end(self) -> str:
        """What became of it: the end of a sentence about it."""
        if self.killed_because:
            return f"was stopped, as {self.killed_because}"
        when = " while it loaded the model" if self.info is None else ""
        code = self._process.returncode or 0
        name = crash_name(code)
        if name is None:
            end = f"ended{when} with exit code {code}"
        elif name == "SIGKILL":
            end = f"was killed{when} ({name}), as happens when memory runs out"
        else:
            end = f"crashed{when} ({name})"
        line = _last_line(self._printed.decode(errors="replace"))
        return f"{end}; its last words were {line!r}" if line else end

    def _take(self, message: dict[str, Any]) -> None:
        number, say = message["call"], message["say"]
        value: Any = message.get("value")
        self._heard = monotonic()
        if say in ("loaded", "event", "value"):
            value = unpack(value)
        elif say == "error":
            value = unpack_error(value)
        elif say == "bug":
            value = _bug(value)
        if number == 0 and say == "loaded":
            self._loaded, self.info = self._heard, value
        elif number == 0:
            self.failure = value
        with self._lock:
            ends = say not in ("begun", "event")
            call = self._calls.pop(number, None) if ends else self._calls.get(number)
        if call is not None:
            call.inbox.put(Reply(say, value))

    def _write(self) -> None:
        file = self._process.stdin
        assert file is not None
        with contextlib.suppress(OSError, ValueError):  # it died: its end tells
            while (line := self._to_write.get()) is not None:
                file.write(line)
                file.flush()
        with contextlib.suppress(OSError):
            file.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                message = from_line(line)
                try:
                    if message is not None:
                        self._take(message)
                except Exception:  # noqa: BLE001  (else this thread would end, and who waits for it would not)
                    _log.exception("the model's process said what cannot be read: %.200r", line)
                    self.kill("it said what cannot be understood")
        try:
            self._process.wait(_LAST_WORDS_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill("it fell silent for good")

    def _read_printed(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as file:
            while piece := os.read(file.fileno(), 65_536):
                self._printed += piece
                del self._printed[:-_PRINTED_BYTES]

    def _wait(self) -> None:
        self._process.wait()
        for reader in self._readers:
            reader.join(1)  # not for ever: what the child started may keep its pipes open
        self._to_write.put(None)
        if self._printed:
            _log.info("the model's process printed:\n%s", self._printed.decode(errors="replace"))
        with self._lock:
            self.gone.set()
            calls, self._calls = list(self._calls.values()), {}
        for call in calls:
            call.inbox.put(Reply("gone"))


def _start() -> subprocess.Popen[bytes]:
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    try:
        return subprocess.Popen(
            module_command("runtime.engines.worker"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONFAULTHANDLER": "1"},
            start_new_session=True,  # Ctrl-C in a terminal reaches the parent only
            creationflags=flags,
        )
    except OSError as error:  # too many files or processes, no memory, an interpreter that is gone
        raise EngineError(
            f"The process that runs the model could not be started ({error.strerror}); close other programs and ask "
            "again."
        ) from None


def _bug(trace: str) -> RuntimeError:
    """An exception of the child that no user can mend; its traceback is a note."""
    lines = trace.rstrip().splitlines() or ["no traceback"]
    told = [line for line in lines if re.match(r"[A-Za-z_][\w.]*(Error|Exception)\b", line)]  # not a note after it
    error = RuntimeError(f"in the process that runs the model: {(told or lines)[-1]}")
    error.add_note("\n".join(lines))
    return error


def _last_line(text: str) -> str:
    """What a dying process said last that tells why: Python's own line on a crash comes before a stack."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("Fatal Python error", "Windows fatal exception"))]
    line = (fatal or lines or [""])[-1]
    return line if len(line) <= _LINE_SHOWN else f"{line[:_LINE_SHOWN]}…"
