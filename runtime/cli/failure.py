"""How a command says that it failed: one sentence for people and, with --json, one object among those of its output."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import takewhile
from typing import TextIO

from runtime.cli.streams import drop
from runtime.cli.text import visible


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether the output is read by a program. Asked of the arguments as they came: they may be what is wrong."""
    words = list(takewhile(lambda word: word != "--", arguments))
    return "--json" in words and words[0] != "doctor"  # whose --json names a file


def error_line(message: str) -> str:
    """The event of an error, as a line of JSON."""
    return json.dumps({"event": "error", "message": message}, ensure_ascii=False) + "\n"


def tell_failure(message: str, out: TextIO, err: TextIO, *, json_lines: bool) -> None:
    """Say `message` on `err` in one line; with `json_lines` also as an event on `out`, where that can be written."""
    message = " ".join(message.splitlines())  # libraries' own messages may have several lines
    if json_lines:
        try:
            out.write(error_line(message))
            out.flush()
        except OSError:  # `err` may still have a reader
            drop(out)
    err.write(f"error: {visible(message)}\n")
    err.flush()
