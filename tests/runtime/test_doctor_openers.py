"""Backends that misbehave, each opened in a child process of the doctor by its name in this file."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime.backends.base import Logits, checked_tokens
from runtime.bundle import Bundle
from runtime.errors import BackendUnavailableError
from tests.runtime.conftest import TokenState

PID_FILE = "child.pid"  # inside the bundle's folder
DAWDLING_SECONDS = 2


class Honest:
    """Scores that follow from the last two tokens read and how many there are, and from nothing else."""

    name = "honest"
    chunk_length = 16

    def __init__(self, bundle: Bundle) -> None:
        self.vocab_size = bundle.manifest.vocab_size
        self.context_length = bundle.manifest.context_length

    def new_state(self) -> TokenState:
        return TokenState()

    def feed(self, tokens: Sequence[int], state: TokenState) -> Logits:
        state.tokens += checked_tokens(
            tokens, length=state.length, context_length=self.context_length, vocab_size=self.vocab_size
        ).tolist()
        random = np.random.default_rng([state.length, *state.tokens[-2:]])
        return random.normal(scale=4, size=self.vocab_size).astype(np.float32)

    def close(self) -> None:
        return


Load = Callable[[], Any]


def honest(bundle: Bundle) -> Load:
    return lambda: Honest(bundle)


def _with(change: Callable[[Logits, TokenState], Logits]) -> Callable[[Bundle], Load]:
    class Changed(Honest):
        def feed(self, tokens: Sequence[int], state: TokenState) -> Logits:
            return change(super().feed(tokens, state), state)

    return lambda bundle: lambda: Changed(bundle)


def _pause(logits: Logits, seconds: float) -> Logits:
    time.sleep(seconds)
    return logits


def _die(number: int) -> Logits:
    os.kill(os.getpid(), number)
    raise AssertionError("still alive")


rounds = _with(lambda logits, _: logits.astype(np.float16).astype(np.float32))
lies = _with(lambda logits, _: logits[::-1].copy())
lies_late = _with(lambda logits, state: logits if state.length < 30 else logits[::-1].copy())
gives_nan = _with(lambda logits, _: logits * np.float32("nan"))
gives_one_score = _with(lambda logits, _: logits[:1])
aborts_late = _with(lambda logits, state: logits if state.length < 30 else os.abort())
is_killed = _with(lambda *_: _die(signal.SIGKILL))
raises = _with(lambda *_: 1 // 0)  # type: ignore[arg-type]
hangs = _with(lambda logits, state: logits if state.length < 30 else _pause(logits, 600))
dawdles = _with(lambda logits, state: logits if state.length < 20 else _pause(logits, DAWDLING_SECONDS))
leaves = _with(lambda *_: os._exit(0))
lies_then_aborts = _with(lambda logits, state: logits[::-1].copy() if state.length < 30 else os.abort())


# Beyond 64 tokens only a few positions are scored; the measure of speed goes on from there.
is_useless = _with(lambda logits, state: _pause(logits, 1.1) if state.length > 64 else logits)


def forgets(bundle: Bundle) -> Load:
    """Right in the first call of a conversation only, as where a cache is not kept."""

    class Forgetful(Honest):
        def feed(self, tokens: Sequence[int], state: TokenState) -> Logits:
            logits = super().feed(tokens, state)
            return logits if state.length == len(tokens) else logits[::-1].copy()

    return lambda: Forgetful(bundle)


def chatters(bundle: Bundle) -> Load:
    """Prints as frameworks do: from Python and beneath it, whole events and half lines, before, while and after."""
    forged = b'{"event": "done"}\n{"event": "exception", "type": "Forged", "message": ""}\nnot json {'

    def chatter(logits: Logits, state: TokenState) -> Logits:
        os.write(1, forged)
        print('{"event": "unavailable", "reason": "forged"}')  # noqa: T201 - as a framework does
        sys.stdout.buffer.write(b"\xff\xfe\n" + b"x" * 100_000)
        return logits

    os.write(1, forged)
    return _with(chatter)(bundle)


def listens(bundle: Bundle) -> Load:
    """Looks at standard input, as libraries do."""
    if os.read(0, 1) or sys.stdin.read():
        raise RuntimeError("somebody is there")
    return honest(bundle)


def leaves_its_pid(bundle: Bundle) -> Load:
    (bundle.folder / PID_FILE).write_text(str(os.getpid()), encoding="ascii")
    return hangs(bundle)


def is_refused(bundle: Bundle) -> Load:
    (bundle.folder / "asked").open("a", encoding="ascii").write("x")
    raise BackendUnavailableError("this machine has no abacus")


def aborts_in_load(bundle: Bundle) -> Load:
    return os.abort


def fails_in_load(bundle: Bundle) -> Load:
    def load() -> Any:
        sys.stderr.write(f"E5RT: ANECCompile() FAILED in {Path.home()}/Library/Caches/x for {bundle.folder}\n")
        raise RuntimeError(
            f"Failed to build the model execution plan, error code: -14, {bundle.folder}/model.mlpackage"
        )

    return load


def hangs_in_load(bundle: Bundle) -> Load:
    return lambda: time.sleep(600)


def has_another_vocabulary(bundle: Bundle) -> Load:
    def load() -> Honest:
        backend = Honest(bundle)
        backend.vocab_size += 8
        return backend

    return load


def crashes_while_ending(bundle: Bundle) -> Load:
    class Crashing(Honest):
        def close(self) -> None:
            os.kill(os.getpid(), signal.SIGSEGV)

    return lambda: Crashing(bundle)


def crashes_in_the_second_load(bundle: Bundle) -> Load:
    loads = iter([Honest(bundle)])
    return lambda: next(loads, None) or os.abort()


def test_the_honest_one_keeps_the_contract_of_backends() -> None:
    class Manifest:
        vocab_size, context_length = 32, 16

    class FakeBundle:
        manifest = Manifest()

    backend: Any = honest(FakeBundle())()  # type: ignore[arg-type]
    one, many = backend.new_state(), backend.new_state()
    whole = backend.feed([3, 1, 2], one)
    for token in (3, 1, 2):
        pieces = backend.feed([token], many)
    assert whole == pytest.approx(pieces)
