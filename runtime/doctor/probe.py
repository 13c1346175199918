"""The child, `python -m runtime.doctor.probe`: opens one backend, feeds it, and tells what happens as it happens.

One JSON object, the Job, comes on the first line of what was standard input when it began. Events go, one JSON object
a line, to what was standard output; what a framework prints goes to standard error instead, and what it reads is empty.
The end of the input is the end of the parent, and then of this process too, so that no child outlives who asked.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from runtime.backends.base import Backend, Logits
from runtime.bundle import Bundle
from runtime.doctor.openers import Load
from runtime.doctor.plan import Feed, Job, Speed
from runtime.errors import BackendUnavailableError
from runtime.measure.memory import peak_resident_bytes
from runtime.pipes import take_pipes

Opener = Callable[[Bundle], Load]


class Channel:
    """Events to the parent."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        file.write(b"\n")  # ends a line that a library began while it was imported

    def send(self, event: str, **details: object) -> None:
        """Write one event. Never blocks the work for long: the parent always reads."""
        self._file.write(json.dumps({"event": event, **details}).encode() + b"\n")
        self._file.flush()

    def report(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """The hook for an exception that nobody caught: told to the parent, then printed as ever."""
        self.send("exception", type=kind.__name__, message=str(error))
        sys.__excepthook__(kind, error, trace)


def main() -> int:
    """Do the job that standard input names."""
    messages, events = take_pipes()
    channel = Channel(events)
    sys.excepthook = channel.report
    job = Job.from_json(json.loads(messages.readline()))
    threading.Thread(target=_leave_with_parent, args=(messages,), daemon=True).start()
    channel.send("started")
    bundle = Bundle.open(job.folder)
    try:
        load = _find(job.opener)(bundle)
        begin = time.perf_counter()
        backend = load()
    except BackendUnavailableError as error:
        channel.send("unavailable", reason=str(error))
        return 0
    channel.send("loaded", seconds=time.perf_counter() - begin, vocab_size=backend.vocab_size)
    with Path(job.scores).open("wb") as scores:
        for row in _score(backend, job.feeds, channel):
            scores.write(row.tobytes())
            scores.flush()
            channel.send("scored")
    if job.speed:
        _measure(backend, job.feeds[0].tokens, job.speed, channel)
    channel.send("memory", peak_bytes=peak_resident_bytes())
    backend.close()
    if job.reload:
        del backend
        begin = time.perf_counter()
        load().close()
        channel.send("reloaded", seconds=time.perf_counter() - begin)
    channel.send("done")
    return 0


def _leave_with_parent(messages: BinaryIO) -> None:
    messages.read()
    os._exit(3)


def _find(named: str) -> Opener:
    module, _, function = named.partition(":")
    found: Opener = getattr(importlib.import_module(module), function)
    return found


def _score(backend: Backend[Any], feeds: tuple[Feed, ...], channel: Channel) -> Iterator[Logits]:
    """Scores [V] after each piece of each feed, and after each token that follows."""
    for feed in feeds:
        state = backend.new_state()
        end, logits = 0, np.empty(0, np.float32)
        for size in feed.pieces:
            logits = _feed(backend, feed.tokens[end : end + size], state)
            end += size
            yield logits
        more = []
        for _ in range(feed.follow):
            more.append(int(logits.argmax()))
            logits = _feed(backend, more[-1:], state)
            yield logits
        if feed.follow:
            channel.send("continued", tokens=more)


def _feed(backend: Backend[Any], tokens: tuple[int, ...] | list[int], state: Any) -> Logits:
    logits: Logits = np.asarray(backend.feed(tokens, state), np.float32)
    if logits.shape != (backend.vocab_size,):
        raise ValueError(f"the backend gave scores of shape {list(logits.shape)}, not [{backend.vocab_size}]")
    return logits


def _measure(backend: Backend[Any], tokens: tuple[int, ...], speed: Speed, channel: Channel) -> None:
    """Tokens a second of a prompt in the backend's own pieces, then one at a time."""
    prompt = (tokens * (speed.prefill // len(tokens) + 1))[: speed.prefill]
    pieces = [prompt[at : at + backend.chunk_length] for at in range(0, len(prompt), backend.chunk_length)]
    state = backend.new_state()
    rates = []
    for group in (pieces, [(tokens[at % len(tokens)],) for at in range(speed.decode)]):
        begin, fed, seconds = time.perf_counter(), 0, 0.0
        for piece in group:
            backend.feed(piece, state)
            fed += len(piece)
            seconds = time.perf_counter() - begin
            channel.send("timed")
            if seconds > speed.seconds:
                break
        rates.append(fed / max(seconds, 1e-9) if fed else None)
    channel.send("speed", prefill_tokens_per_second=rates[0], decode_tokens_per_second=rates[1])


if __name__ == "__main__":
    sys.exit(main())
