"""Backends over a stateful program with Core ML's words: `predict(inputs, state)` with `inputIds` and `causalMask`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from runtime.backends.base import Backend, KeyValues, Logits, check_saved, checked_tokens
from runtime.backends.state import CountedState

# A prompt is fed in pieces of this many tokens: enough to use the matrix units, few enough that the folded mask
# [queries · heads, end] of Falcon-7B stays under 20 MB at 2,048 tokens.
CHUNK = 64


class Predictor(Protocol):
    """What Core ML's MLModel and our interpreter share."""

    def predict(self, inputs: Mapping[str, npt.NDArray[Any]], state: Any) -> Mapping[str, npt.NDArray[Any]]:
        """Outputs by name; `state` is updated in place."""


class ProgramState(Protocol):
    """What Core ML's MLState and our interpreter's State share."""

    def read_state(self, name: str) -> npt.NDArray[Any]:
        """The state called `name`."""

    def write_state(self, name: str, value: npt.NDArray[Any]) -> None:
        """Replace it by `value`, of the same shape."""


KEYS, VALUES = "keyCache", "valueCache"  # [layers, 1, kv_heads, context, head_dim], as swift-transformers looks for


class ProgramBackend(Backend[CountedState[ProgramState]]):
    """Feeds tokens to a predictor, in pieces, with masks that say where they stand."""

    def __init__(
        self,
        name: str,
        predictor: Predictor,
        new_state: Callable[[], ProgramState],
        *,
        vocab_size: int,
        context_length: int,
        mask_dtype: npt.DTypeLike = np.float32,
    ) -> None:
        self._name = name
        self._predictor: Predictor | None = predictor
        self._new_state: Callable[[], ProgramState] | None = new_state
        self._vocab_size = vocab_size
        self._context_length = context_length
        self._mask_dtype = np.dtype(mask_dtype)

    @property
    def name(self) -> str:
        """The word by which users choose it."""
        return self._name

    @property
    def vocab_size(self) -> int:
        """Tokens that the model scores."""
        return self._vocab_size

    @property
    def context_length(self) -> int:
        """Tokens that one state can hold."""
        return self._context_length

    @property
    def chunk_length(self) -> int:
        """Tokens a predict at which a prompt is fed."""
        return CHUNK

    def new_state(self) -> CountedState[ProgramState]:
        """An empty state."""
        if self._new_state is None:
            raise ValueError("the backend is closed")
        return CountedState(self._new_state())

    def feed(self, tokens: Sequence[int], state: CountedState[ProgramState]) -> Logits:
        """Append `tokens` [N] to `state` and score the next one, [vocab_size]."""
        ids = checked_tokens(
            tokens, length=state.length, context_length=self._context_length, vocab_size=self._vocab_size
        )
        if self._predictor is None:
            raise ValueError("the backend is closed")
        logits: npt.NDArray[Any] = np.empty(0, np.float32)
        for first in range(0, len(ids), CHUNK):
            piece = ids[first : first + CHUNK]
            mask = causal_mask(len(piece), state.length + len(piece), self._mask_dtype)
            out = self._predictor.predict({"inputIds": piece[None], "causalMask": mask}, state.inner)
            state.advance(len(piece))
            logits = out["logits"]
        return np.array(logits, np.float32).reshape(-1)

    def save_state(self, state: CountedState[ProgramState]) -> KeyValues:
        """A copy of what `state` holds."""
        keys, values = (state.inner.read_state(name)[:, 0, :, : state.length].copy() for name in (KEYS, VALUES))
        return KeyValues(keys.astype(np.float16, copy=False), values.astype(np.float16, copy=False))

    def restore_state(self, saved: KeyValues) -> CountedState[ProgramState]:
        """A new state that holds `saved`."""
        state = self.new_state()
        for name, array in ((KEYS, saved.keys), (VALUES, saved.values)):
            whole = np.array(state.inner.read_state(name))
            layers, _, kv_heads, context, head_dim = whole.shape
            check_saved(saved, layers=layers, kv_heads=kv_heads, head_dim=head_dim, context_length=context)
            whole[:, 0, :, : saved.length] = array
            state.inner.write_state(name, whole)
        state.advance(saved.length)
        return state

    def close(self) -> None:
        """Let go of the model."""
        self._predictor = self._new_state = None


def causal_mask(queries: int, end: int, dtype: npt.DTypeLike = np.float32) -> npt.NDArray[Any]:
    """[1, 1, queries, end]: 0 where a query, at position end - queries + i, may look, -inf where not."""
    return np.triu(np.full((queries, end), -np.inf, dtype), end - queries + 1)[None, None]
