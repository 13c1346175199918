"""How fast a backend reads a prompt and writes an answer. Tokens are random: no text is faster than another."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from runtime.backends.base import Backend, KeyValues
from runtime.chooser import Chooser
from runtime.errors import OptionError
from runtime.measure.memory import private_bytes
from runtime.measure.statistics import Spread
from runtime.sampling import SamplingConfig


@dataclass(frozen=True, kw_only=True)
class BenchConfig:
    """Counts of tokens and of runs. OptionError, which names the option, for a count below its least."""

    prompt_tokens: int = 512
    new_tokens: int = 128
    repeats: int = 5
    warm_up: int = 1  # runs before, which do not count
    seed: int = 0
    at_once: int = 1  # answers that are written together, after the one that is written alone; 1 leaves that out

    def __post_init__(self) -> None:
        at_least_one = ("prompt_tokens", "new_tokens", "repeats", "at_once")
        for name, least in (*((name, 1) for name in at_least_one), ("warm_up", 0), ("seed", 0)):
            if getattr(self, name) < least:
                raise OptionError(f"--{name.replace('_', '-')} must be at least {least}, not {getattr(self, name)}.")

    @property
    def total(self) -> int:
        """Tokens that are fed in all."""
        together = self.new_tokens * self.at_once if self.at_once > 1 else 0
        return (self.prompt_tokens + self.new_tokens + together) * (self.warm_up + self.repeats)

    def fitted(self, context_length: int, *, free: Collection[str]) -> BenchConfig:
        """This, where it fits; else with fewer tokens of what `free` names (`prompt_tokens`, `new_tokens`), in their
        proportion where it names both. OptionError where that cannot be."""
        prompt, new = self.prompt_tokens, self.new_tokens
        if prompt + new > context_length:
            if "prompt_tokens" in free and "new_tokens" in free:
                new = max(1, context_length * new // (prompt + new))
                prompt = context_length - new
            elif "prompt_tokens" in free:
                prompt = context_length - new
            elif "new_tokens" in free:
                new = context_length - prompt
            if prompt < 1 or new < 1:
                self.check(context_length)
        fitted = replace(self, prompt_tokens=prompt, new_tokens=new)
        fitted.check(context_length)
        return fitted

    def check(self, context_length: int) -> None:
        """OptionError unless prompt and answer fit a context together."""
        if self.prompt_tokens + self.new_tokens > context_length:
            raise OptionError(
                f"--prompt-tokens {self.prompt_tokens:,} and --new-tokens {self.new_tokens:,} do not fit the model's "
                f"context of {context_length:,} together; choose fewer."
            )


@dataclass(frozen=True, kw_only=True)
class Run:
    """Seconds of one run."""

    prefill: float  # the prompt, in pieces as the backend likes them
    first_token: float  # that, and choosing the likeliest token
    decode: float  # all new tokens, fed one at a time
    at_once: float | None = None  # as many for each of several answers, one of each at a time


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What was measured."""

    config: BenchConfig
    runs: tuple[Run, ...]
    private_bytes: int | None  # the most, looked at between steps
    complete: bool  # False after Ctrl-C

    @property
    def prefill_rate(self) -> Spread:
        """Tokens a second of the prompt."""
        return Spread(tuple(self.config.prompt_tokens / run.prefill for run in self.runs))

    @property
    def decode_rate(self) -> Spread:
        """Tokens a second of the answer."""
        return Spread(tuple(self.config.new_tokens / run.decode for run in self.runs))

    @property
    def at_once_rate(self) -> Spread | None:
        """Tokens a second of several answers together; None where there was but one."""
        seconds = [run.at_once for run in self.runs if run.at_once is not None]
        tokens = self.config.new_tokens * self.config.at_once
        return Spread(tuple(tokens / one for one in seconds)) if seconds else None

    @property
    def first_token(self) -> Spread:
        """Seconds from the prompt's ids to the answer's first."""
        return Spread(tuple(run.first_token for run in self.runs))


class _Cancelled(Exception):  # noqa: N818 - no error
    pass


def run_bench(
    backend: Backend[Any],
    config: BenchConfig,
    *,
    vocab_size: int,
    control_ids: Collection[int],
    cancelled: Callable[[], bool],
    told: Callable[[int], None],
) -> Bench | None:
    """Warm up, then measure; what there is when `cancelled`, None if that is not one run.

    `vocab_size` is the tokenizer's; `control_ids` are not drawn. Raises OptionError for a vocabulary of nothing else,
    and where the context is too short.
    """
    config.check(backend.context_length)
    drawn = np.setdiff1d(np.arange(min(vocab_size, backend.vocab_size)), np.fromiter(control_ids, int))
    if not drawn.size:
        raise OptionError("The tokenizer has control tokens only, so there is no prompt to measure with.")
    rng = np.random.default_rng(config.seed)
    runs: list[Run] = []
    most = private_bytes()

    def step(fed: int) -> None:
        told(fed)
        if cancelled():
            raise _Cancelled

    try:
        for number in range(config.warm_up + config.repeats):
            ids = rng.choice(drawn, config.prompt_tokens + config.new_tokens).tolist()
            run, private = _run(backend, ids[: config.prompt_tokens], ids[config.prompt_tokens :], config.at_once, step)
            most = max(most, private) if most is not None and private is not None else most
            if number >= config.warm_up:
                runs.append(run)
    except _Cancelled:
        pass
    if not runs:
        return None
    return Bench(config=config, runs=tuple(runs), private_bytes=most, complete=len(runs) == config.repeats)


def _run(
    backend: Backend[Any], prompt: list[int], answer: list[int], at_once: int, step: Callable[[int], None]
) -> tuple[Run, int | None]:
    """One prompt and one answer, given and not chosen, so that every backend does the same work; then that answer
    `at_once` times after copies of the prompt."""
    state = backend.new_state()
    scores = np.empty(0, np.float32)
    seconds = 0.0  # of the backend alone: what is told in between does not count
    for at in range(0, len(prompt), backend.chunk_length):
        piece = prompt[at : at + backend.chunk_length]
        begun = time.perf_counter()
        scores = backend.feed(piece, state)
        seconds += time.perf_counter() - begun
        step(len(piece))
    begun = time.perf_counter()
    scores.argmax()
    first_token = seconds + time.perf_counter() - begun
    read = backend.save_state(state) if at_once > 1 else None
    decode = 0.0
    for token in answer:
        begun = time.perf_counter()
        backend.feed([token], state)
        decode += time.perf_counter() - begun
        step(1)
    together = None if read is None else _together(backend, [read] * at_once, answer, step)
    return Run(prefill=seconds, first_token=first_token, decode=decode, at_once=together), private_bytes()


def _together(
    backend: Backend[Any], read: Sequence[KeyValues], answer: list[int], step: Callable[[int], None]
) -> float:
    """Seconds of the answer for each of the states in `read`, a token of each at a time. Tokens are chosen too, as a
    server does, where the backend has their scores; what is chosen is of no account."""
    states = [backend.restore_state(saved) for saved in read]
    choosers = [Chooser(SamplingConfig(temperature=0), (), choices=backend.vocab_size) for _ in states]
    seconds = 0.0
    for token in answer:
        begun = time.perf_counter()
        backend.choose_batch([([token], state, chooser) for state, chooser in zip(states, choosers, strict=True)])
        seconds += time.perf_counter() - begun
        step(len(states))
    return seconds
