"""Answers as they stream: text for people, one JSON object an event for programs, and a line of figures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from time import monotonic
from typing import TextIO

from runtime.cli.failure import error_line
from runtime.cli.terminal import width
from runtime.cli.text import visible
from runtime.colours import has_colours
from runtime.errors import UserFacingError
from runtime.events import Event, Finished, Prefilled, ReasoningDelta, Stats, TextDelta, Trimmed

_DIM, _RESET = "\x1b[2m", "\x1b[0m"
_REASONS = {"length": "stopped at --max-tokens", "context": "the context is full", "cancelled": "stopped"}
_NEARLY_FULL = 0.75  # of the context, from where on the figures say so
_POINT = " · "


class Output:
    """Writes events to `out`; figures go there too on a terminal, to `err` when the answer is piped on. With
    `context_length`, of a conversation, they say when the context is nearly full."""

    def __init__(
        self, out: TextIO, err: TextIO, *, json_lines: bool, backend: str, context_length: int | None = None
    ) -> None:
        self._out = out
        self._err = err
        self._json = json_lines
        self._backend = backend
        self._context_length = context_length
        self._terminal = out.isatty()
        self._colour = self._terminal and has_colours()
        self._thinks_since: float | None = None  # time.monotonic, while the line that says so is open

    def stream(self, events: Iterator[Event]) -> Finished:
        """Write `events` as they come and return the last."""
        begun = False
        try:
            for event in events:
                if self._json:
                    self._line(_as_json(event))
                else:
                    self._show(event)
                begun = begun or isinstance(event, TextDelta)
                if isinstance(event, Finished):
                    return event
        except (UserFacingError, KeyboardInterrupt):
            self._end_thinking()
            if begun and not self._json:  # what is said about it begins on a line of its own
                self._out.write("\n")
                self._out.flush()
            raise
        raise RuntimeError("the events ended without Finished")

    def refuse(self, error: UserFacingError) -> None:
        """Say why there is no answer to this turn: to programs among the events, to people beside the answers."""
        if self._json:
            self._out.write(error_line(str(error)))
            self._out.flush()
        else:
            self._err.write(f"error: {visible(str(error))}\n")
            self._err.flush()

    def aside(self, text: str) -> None:
        """A line about an answer, dim; nothing for programs."""
        if not self._json:
            self._write_aside(text)

    def _write_aside(self, text: str, end: str = "\n") -> None:
        self._out.flush()
        aside = self._out if self._terminal else self._err
        aside.write(f"{_DIM}{text}{_RESET}{end}" if self._colour else f"{text}{end}")
        aside.flush()

    def _show(self, event: Event) -> None:
        if isinstance(event, ReasoningDelta):
            self._begin_thinking()
            return
        self._end_thinking()
        if isinstance(event, TextDelta):
            self._out.write(visible(event.text) if self._terminal else event.text)
            self._out.flush()
        elif isinstance(event, Trimmed):
            self.aside(left_out(event))
        elif isinstance(event, Finished):
            self._close(event)

    def _begin_thinking(self) -> None:
        """That the model thinks: what it thinks is for programs."""
        if self._thinks_since is None:
            self._thinks_since = monotonic()
            self._write_aside("(thinking…", end="")

    def _end_thinking(self) -> None:
        if self._thinks_since is not None:
            seconds, self._thinks_since = monotonic() - self._thinks_since, None
            self._write_aside(f" {seconds:.0f} s)")

    def _close(self, event: Finished) -> None:
        self._out.write("\n")
        parts = [_REASONS[event.reason]] if event.reason in _REASONS else []
        used = event.stats.prompt_tokens + event.stats.new_tokens
        if self._context_length and event.reason != "context" and used >= _NEARLY_FULL * self._context_length:
            parts.append(f"context {used / self._context_length:.0%} full")
        parts += figures(event.stats, self._backend)
        while self._terminal and len(_POINT.join(parts)) > width() and len(parts) > 1:
            parts.pop()  # the least important stand last
        self.aside(_POINT.join(parts))

    def _line(self, value: dict[str, object]) -> None:
        self._out.write(json.dumps(value, ensure_ascii=False) + "\n")
        self._out.flush()


def left_out(event: Trimmed) -> str:
    """What the context policy did, in a sentence."""
    tokens = _count(event.tokens, "token")
    if not event.messages:
        verb = "was" if event.tokens == 1 else "were"
        place = "at the beginning" if event.policy == "rolling" else "in the middle"
        return f"({tokens} {place} {verb} left out: the context holds no more)"
    where = "oldest" if event.policy == "rolling" else "middle"
    count = f"{event.messages:,} messages" if event.messages != 1 else "message"
    verb = "was" if event.messages == 1 else "were"
    return f"(the {where} {count}, {tokens}, {verb} left out: the context holds no more)"


def figures(stats: Stats, backend: str) -> list[str]:
    """Tokens, rate, wait for the first, the prompt's length with how much of it was read before, the backend."""
    parts = [_count(stats.new_tokens, "token")]
    if stats.tokens_per_second is not None:
        parts.append(f"{stats.tokens_per_second:.1f} tokens/s")
    if stats.first_token_seconds is not None:
        parts.append(f"first after {stats.first_token_seconds:.2f} s")
    prompt = f"prompt {_count(stats.prompt_tokens, 'token')}"
    parts.append(f"{prompt}, {stats.reused_tokens:,} reused" if stats.reused_tokens else prompt)
    return [*parts, backend]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _as_json(event: Event) -> dict[str, object]:
    if isinstance(event, Prefilled):
        return {"event": "prefilled", **asdict(event)}
    if isinstance(event, ReasoningDelta):
        return {"event": "reasoning", "text": event.text}
    if isinstance(event, TextDelta):
        return _with_logprobs({"event": "delta", "text": event.text, "tokens": event.tokens}, event)
    if isinstance(event, Trimmed):
        return {"event": "trimmed", **asdict(event)}
    stats = event.stats
    finished = {
        "event": "finished",
        "reason": event.reason,
        "text": event.text,
        "tokens": list(event.tokens),
        **asdict(stats),
        "tokens_per_second": stats.tokens_per_second,
    }
    return _with_logprobs(finished, event)


def _with_logprobs(value: dict[str, object], event: TextDelta | Finished) -> dict[str, object]:
    """`value`, with the log-probabilities where they were asked for."""
    return value | {"logprobs": [asdict(item) for item in event.logprobs]} if event.logprobs else value
