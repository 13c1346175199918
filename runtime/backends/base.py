"""The seam: what every device offers. A Backend is a loaded model, a State is the tokens that it has read.

Contract, checked by one shared test for all backends: tokens fed in one piece score like the same tokens fed in many;
truncating and then feeding scores like never having fed what was cut; a restored state scores like the saved one; a
refused call changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

from runtime.arguments import check_kind
from runtime.chooser import Chooser
from runtime.errors import ContextFullError, OptionError, TokenizerError, UserFacingError

Logits = npt.NDArray[np.float32]
"""Scores of the next token, [vocab_size], before any softmax."""


class State(Protocol):
    """The keys and values of the tokens fed so far. Belongs to the backend that made it."""

    @property
    def length(self) -> int:
        """Tokens held."""

    def truncate(self, length: int) -> None:
        """Forget every token from position `length` on. ValueError unless 0 <= length <= self.length."""


@dataclass(frozen=True)
class KeyValues:
    """What a state holds, in a form that every backend and a file can take: float16 arrays
    [layers, kv_heads, length, head_dim] each."""

    keys: npt.NDArray[np.float16]
    values: npt.NDArray[np.float16]

    @property
    def length(self) -> int:
        """Tokens held."""
        return int(self.keys.shape[2])


class DraftCost(NamedTuple):
    """What a `feed_all` takes more for guesses after its first token, as shares of the time of a `feed` of one."""

    first: float  # for the first guess
    more: float  # for each other


S = TypeVar("S", bound=State)

_FEW = 16  # tokens that are checked without numpy


@runtime_checkable
class Backend(Protocol[S]):
    """A loaded model on one device. One call at a time; its states are independent of each other."""

    @property
    def name(self) -> str:
        """The word by which users choose it, e.g. `coreml`."""

    @property
    def vocab_size(self) -> int:
        """Tokens that the model scores. May exceed the tokenizer's (rw-1b pads 50,257 to 50,304)."""

    @property
    def context_length(self) -> int:
        """Tokens that one state can hold."""

    @property
    def chunk_length(self) -> int:
        """Tokens a call at which a long prompt is fed best. `feed` takes any number that fits, yet callers who want
        progress or cancelling feed in such pieces and look up in between: a call itself is never interrupted."""

    def new_state(self) -> S:
        """An empty state."""

    def feed(self, tokens: Sequence[int], state: S) -> Logits:
        """Append `tokens` [N] to `state` and score the token after the last: [vocab_size], the caller's own array.

        Refuses, with `state` as it was, what `checked_tokens` refuses.
        """

    @property
    def draft_cost(self) -> DraftCost | None:
        """What guesses add to a feed: a constant of the kind of model, as what is guessed must not depend on a clock.
        None, as here, where `feed_all` is a feed a token."""
        return None

    def feed_all(self, tokens: Sequence[int], state: S) -> npt.NDArray[np.float32]:
        """Append `tokens` [N] to `state` and score the token after each of them: [N, vocab_size]. Refuses as `feed`.

        Here a feed a token, for programs that score the last position only.
        """
        ids = checked_tokens(
            tokens, length=state.length, context_length=self.context_length, vocab_size=self.vocab_size
        )
        return np.stack([self.feed([token], state) for token in ids.tolist()])

    def feed_batch(self, feeds: Sequence[tuple[Sequence[int], S]]) -> list[Logits]:
        """`feed` for several states, as if one by one. Where one is refused, or a state comes twice, none is fed; where
        it fails on the way (memory), each state was fed whole or not, as its length says.

        Here one by one indeed, for programs that serve one sequence.
        """
        check_batch(feeds, context_length=self.context_length, vocab_size=self.vocab_size)
        return [self.feed(tokens, state) for tokens, state in feeds]

    def choose(self, tokens: Sequence[int], state: S, chooser: Chooser) -> list[int]:
        """Append `tokens` [N] to `state`, the last one written and guesses of the next, and choose the token after each
        as long as that is the guess: 1 to N tokens. Refuses as `feed`; raises what `Chooser.on_host` raises.

        Here by the scores on the host. A device that makes them elsewhere may choose there (choosing.py), and for a
        seed must choose as the host does, but for rounding.
        """
        if len(tokens) == 1:
            return chooser.on_host([self.feed(tokens, state)], tokens)
        return chooser.on_host(self.feed_all(tokens, state), tokens)

    def choose_batch(self, asks: Sequence[tuple[Sequence[int], S, Chooser]]) -> list[list[int] | UserFacingError]:
        """`choose` for several states, as if one by one: for each the tokens chosen, or what `choose` would have raised
        once it was fed. Where one is refused, or a state comes twice, none is fed.

        Here on the host, single tokens by one `feed_batch`.
        """
        check_batch(
            [(tokens, state) for tokens, state, _ in asks],
            context_length=self.context_length,
            vocab_size=self.vocab_size,
        )
        singles = [(tokens, state) for tokens, state, _ in asks if len(tokens) == 1]
        rows = iter(self.feed_batch(singles) if singles else ())
        chosen: list[list[int] | UserFacingError] = []
        for tokens, state, chooser in asks:
            try:
                if len(tokens) == 1:
                    chosen.append(chooser.on_host([next(rows)], tokens))
                else:
                    chosen.append(self.choose(tokens, state, chooser))
            except UserFacingError as error:
                chosen.append(error)
        return chosen

    def save_state(self, state: S) -> KeyValues:
        """A copy of what `state` holds."""
        ...

    def restore_state(self, saved: KeyValues) -> S:
        """A new state that holds `saved`, of the same model on any backend. ValueError for arrays of another shape."""
        ...

    def close(self) -> None:
        """Give back memory and files. Harmless when repeated; no other call may follow."""


def checked_tokens(
    tokens: Sequence[int], *, length: int, context_length: int, vocab_size: int
) -> npt.NDArray[np.int32]:
    """`tokens` [N] as an array, when they may be fed to a state that holds `length`. Every `feed` begins with this.

    Raises OptionError for no tokens or what are none, TokenizerError for an id outside the vocabulary, ContextFullError
    for want of room.
    """
    if type(tokens) is list and 0 < len(tokens) <= _FEW and all(type(token) is int for token in tokens):
        given, low, high = tokens, min(tokens), max(tokens)  # a token of an answer: numpy takes far longer
    else:
        given, low, high = _as_array(tokens)
    if low < 0 or high >= vocab_size:
        raise TokenizerError(
            f"Token id {low if low < 0 else high} is outside the model's vocabulary of {vocab_size:,}: "
            "use the tokenizer that belongs to this model."
        )
    if length + len(given) > context_length:
        raise ContextFullError(
            f"{len(given):,} more tokens do not fit after {length:,} in a context of {context_length:,}: "
            "shorten the text or start a new conversation."
        )
    return np.array(given, np.int32)


def _as_array(tokens: object) -> tuple[Any, int, int]:
    """Tokens as an array, and the least and the largest of them. OptionError where they are none."""
    try:
        array = np.asarray(tokens)
    except (ValueError, TypeError):  # lists of different lengths, say
        array = np.empty(0)
    if array.ndim != 1 or not array.size or array.dtype.kind not in "iu":
        raise OptionError("Tokens must be a list of at least one token id.")
    return array, int(array.min()), int(array.max())


def check_batch(
    feeds: Sequence[tuple[Sequence[int], State]], *, context_length: int, vocab_size: int
) -> list[npt.NDArray[np.int32]]:
    """The tokens of each feed as arrays; raises what `checked_tokens` does, and ValueError for a state given twice."""
    if len({id(state) for _, state in feeds}) < len(feeds):
        raise ValueError("a batch feeds each state once.")
    return [
        checked_tokens(tokens, length=state.length, context_length=context_length, vocab_size=vocab_size)
        for tokens, state in feeds
    ]


def check_saved(saved: KeyValues, *, layers: int, kv_heads: int, head_dim: int, context_length: int) -> None:
    """ValueError unless `saved` fits a model of these sizes."""
    for array in (saved.keys, saved.values):
        wanted = (layers, kv_heads, saved.length, head_dim)
        if array.dtype != np.float16 or array.shape != wanted or saved.length > context_length:
            raise ValueError(f"a saved state {array.dtype} {array.shape} is not of this model, which wants {wanted}.")


def check_truncate(length: int, held: int) -> None:
    """OptionError unless a state that holds `held` tokens can be cut to `length`. Every `truncate` begins with this."""
    check_kind("length", length, int, "a whole number")
    if not 0 <= length <= held:
        raise OptionError(f"A state of {held} tokens cannot be cut to {length}.")
