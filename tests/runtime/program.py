"""The program in this process: arguments and input in, exit code and outputs out."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from runtime.__main__ import main


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.out.splitlines()]


Cli = Callable[..., Outcome]


def run_program(*given: str | Path, stdin: bytes = b"") -> Outcome:
    """Run a command: arguments, and `stdin` in bytes."""
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for name in ("stdout", "stderr")}
    with pytest.MonkeyPatch.context() as patch:
        for name, stream in streams.items():
            patch.setattr(f"sys.{name}", stream)
        patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        try:
            code = main([str(item) for item in given])
        except SystemExit as stop:
            code = int(stop.code or 0)
    texts = []
    for stream in streams.values():
        stream.flush()
        assert isinstance(stream.buffer, io.BytesIO)
        texts.append(stream.buffer.getvalue().decode())
    return Outcome(code, *texts)


def assert_sentence(outcome: Outcome, sentence: str) -> None:
    assert outcome.code == 1
    assert outcome.out == ""
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    assert outcome.err.rstrip().endswith((".", "?"))
    assert sentence in outcome.err


def assert_error_event(outcome: Outcome, sentence: str = "") -> None:
    """The output is one object that says what the error output says."""
    (event,) = outcome.events
    assert set(event) == {"event", "message"}
    assert event["event"] == "error"
    assert sentence in str(event["message"])
    assert outcome.err == f"error: {event['message']}\n"
    assert outcome.code == 1
