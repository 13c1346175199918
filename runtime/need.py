"""Need: what an answer on its way waits for. Who drives the answer decides when, and beside what others, it is served.

Reading a prompt and writing an answer are generators that yield a Need where the model has to compute, and go on with
what it gave. One driver serves each need as it comes (`served`, here); another collects those of many answers and
serves them together (batch.py). What is written knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from runtime.backends.base import Backend, S
from runtime.chooser import Chooser

T = TypeVar("T")
Item = TypeVar("Item")

Reply = npt.NDArray[np.float32] | list[int]
"""Scores [vocab_size] after the last token, scores [N, vocab_size] after each, or the tokens chosen by a chooser."""


class UnservedError(Exception):
    """Thrown to who waits for a need that is served no more, as nobody wants the answer. Nothing was fed for it."""


@dataclass(frozen=True, slots=True)
class Need(Generic[S]):
    """`tokens` [N] are to be appended to `state`, which belongs to the answer alone and has room for them."""

    tokens: list[int]
    state: S
    scores: Literal["last", "each"] = "last"  # those that come back
    chooser: Chooser | None = None  # then what it chooses comes back, no scores

    def served_by(self, backend: Backend[S]) -> Reply:
        """The reply, from a call of `backend` for this need alone."""
        if self.chooser is not None:
            return backend.choose(self.tokens, self.state, self.chooser)
        return (backend.feed if self.scores == "last" else backend.feed_all)(self.tokens, self.state)


Feeding = Generator[Need[S], Any, T]
"""A computation that yields needs, is sent their replies, and returns a T."""


def served(backend: Backend[S], steps: Generator[Need[S] | Item, Any, T]) -> Generator[Item, None, T]:
    """`steps` with each need served as it comes: what else they yield, and what they return."""
    reply: Reply | None = None
    error: BaseException | None = None
    try:
        while True:
            item = steps.send(reply) if error is None else steps.throw(error)
            reply = error = None
            if not isinstance(item, Need):
                yield item
                continue
            try:
                reply = item.served_by(backend)
            except BaseException as raised:  # noqa: BLE001 - theirs to handle: they know what is half-written
                error = raised
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        steps.close()


def alone(backend: Backend[S], feeding: Feeding[S, T]) -> T:
    """What `feeding` returns, its needs served one by one."""
    try:
        next(served(backend, feeding))
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("a feeding yields nothing but needs")
