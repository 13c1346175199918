"""Answer: an answer on its way, from this process or another or a machine, as an iterator of events."""

from __future__ import annotations

import contextlib
import weakref
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Self

from runtime.events import Event, Finished, FinishReason, Prefilled, Stats, TextDelta
from runtime.sampling import TokenLogprobs

POLL_SECONDS = 0.02  # between two looks at `cancelled` while nothing comes


@dataclass
class Received:
    """What was handed on of an answer so far: enough for its end, should its writer no longer tell."""

    begun: float = field(default_factory=monotonic)
    texts: list[str] = field(default_factory=list)
    logprobs: list[TokenLogprobs] = field(default_factory=list)
    tokens: int = 0
    prefilled: Prefilled | None = None
    first: float | None = None  # when the first text came
    last: float | None = None

    @property
    def text(self) -> str:
        """All the deltas together."""
        return "".join(self.texts)

    def note(self, event: Event) -> None:
        """`event` is handed on now."""
        if isinstance(event, Prefilled):
            self.prefilled = event
        elif isinstance(event, TextDelta):
            self.last = monotonic()
            self.first = self.first or self.last
            self.texts.append(event.text)
            self.logprobs += event.logprobs
            self.tokens = event.tokens

    def shorten(self, finished: Finished) -> Finished:
        """A cancelled answer ends with what was handed on, though its writer was further already."""
        return replace(
            finished,
            reason="cancelled",
            text=self.text,
            tokens=finished.tokens[: self.tokens],
            logprobs=finished.logprobs[: self.tokens],
        )

    def finished(self, reason: FinishReason) -> Finished:
        """The end, from this side's knowledge alone: no ids, and this side's clock."""
        prefilled = self.prefilled or Prefilled(0, 0, 0.0)
        stats = Stats(
            prompt_tokens=prefilled.prompt_tokens,
            reused_tokens=prefilled.reused_tokens,
            fed_tokens=prefilled.prompt_tokens - prefilled.reused_tokens,
            new_tokens=self.tokens,
            feeds=max(self.tokens - 1, 0),
            drafted_tokens=0,
            accepted_tokens=0,
            prefill_seconds=prefilled.seconds,
            first_token_seconds=None if self.first is None else self.first - self.begun,
            decode_seconds=(self.last or 0) - (self.first or 0),
        )
        return Finished(reason, self.text, (), stats, tuple(self.logprobs))


class Answer(Iterator[Event]):
    """Events as they come. `end` and `close`, from any thread, or dropping the iterator end the answer where it is
    written: `end` is the engine's and leaves a Finished to be read, `close` the reader's and leaves nothing."""

    def __init__(self, cancelled: Callable[[], bool]) -> None:
        self.received = Received()
        self.cancelling = False  # the caller wants no more, but for a Finished
        self._cancelled = cancelled
        self._over = False

    @abstractmethod
    def _stop(self) -> None:
        """Tell the writer to stop. Called from any thread, also by the garbage collector: it waits for nothing."""

    @abstractmethod
    def _take(self) -> Event | None:
        """The next event, or None where none came within POLL_SECONDS. Raises what ended the answer."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        while not self._over:
            if not self.cancelling and self._cancelled():
                self.cancelling = True
                self._stop()
            try:
                event = self._take()
            except Exception:
                self._over = True
                raise
            if self._over or event is None:  # closed by another thread meanwhile
                continue
            if isinstance(event, Finished):
                self._over = True
                return self.received.shorten(event) if self.cancelling else event
            if not self.cancelling:
                self.received.note(event)
                return event
        raise StopIteration

    def end(self) -> None:
        """End the answer: what comes next is its Finished, with what was handed on. Harmless when repeated."""
        if not self._over and not self.cancelling:
            self.cancelling = True
            self._stop()

    def close(self) -> None:
        """End the answer without a Finished. Harmless when repeated."""
        if not self._over:
            self._over = True
            self._stop()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # half-built, or at the interpreter's end
            self.close()


class CurrentAnswer:
    """The one answer that an engine has in progress. Held weakly: who drops an answer ends it."""

    def __init__(self) -> None:
        self._answer: weakref.ref[Answer] | None = None

    def begin(self, answer: Answer) -> None:
        """`answer` is the one in progress now."""
        self._answer = weakref.ref(answer)

    def end(self) -> None:
        """End it, if there is one."""
        answer = self._answer() if self._answer is not None else None
        if answer is not None:
            answer.end()
