"""Answers as they stream: text for people, one JSON object an event for programs, and a line of figures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TextIO

from runtime.generation import Event, Finished, Prefilled, Stats, TextDelta

_DIM, _RESET = "\x1b[2m", "\x1b[0m"
_REASONS = {"length": "stopped at --max-tokens", "context": "the context is full", "cancelled": "stopped"}


class Output:
    """Writes events to `out`; figures go there too on a terminal, to `err` when the answer is piped on."""

    def __init__(self, out: TextIO, err: TextIO, *, json_lines: bool, backend: str) -> None:
        self._out = out
        self._err = err
        self._json = json_lines
        self._backend = backend
        self._colour = out.isatty()

    def stream(self, events: Iterator[Event]) -> Finished:
        """Write `events` as they come and return the last."""
        for event in events:
            if self._json:
                self._line(_as_json(event))
            elif isinstance(event, TextDelta):
                self._out.write(event.text)
                self._out.flush()
            if isinstance(event, Finished):
                if not self._json:
                    self._close(event)
                return event
        raise RuntimeError("the events ended without Finished")

    def _close(self, event: Finished) -> None:
        self._out.write("\n")
        text = figures(event.stats, self._backend)
        if event.reason in _REASONS:
            text = f"{_REASONS[event.reason]} · {text}"
        if self._colour:
            self._out.write(f"{_DIM}{text}{_RESET}\n")
        else:
            self._err.write(f"{text}\n")
        self._out.flush()
        self._err.flush()

    def _line(self, value: dict[str, object]) -> None:
        self._out.write(json.dumps(value, ensure_ascii=False) + "\n")
        self._out.flush()


def figures(stats: Stats, backend: str) -> str:
    """One line: tokens, rate, wait for the first, what was reused."""
    parts = [f"{stats.new_tokens} tokens"]
    if stats.tokens_per_second is not None:
        parts.append(f"{stats.tokens_per_second:.1f} tokens/s")
    if stats.first_token_seconds is not None:
        parts.append(f"first after {stats.first_token_seconds:.2f} s")
    parts.append(f"{stats.reused_tokens} of {stats.prompt_tokens} prompt tokens reused")
    return " · ".join([*parts, backend])


def _as_json(event: Event) -> dict[str, object]:
    if isinstance(event, Prefilled):
        return {"event": "prefilled", **asdict(event)}
    if isinstance(event, TextDelta):
        return {"event": "delta", **asdict(event)}
    stats = event.stats
    return {
        "event": "finished",
        "reason": event.reason,
        "text": event.text,
        "tokens": list(event.tokens),
        **asdict(stats),
        "tokens_per_second": stats.tokens_per_second,
    }
