"""Scores of the tokens of a window, in pieces, so that no more than a few megabytes of them exist at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from runtime.backends.base import Backend
from runtime.errors import ModelOutputError
from runtime.measure.windows import Window

Rows = npt.NDArray[np.float32]
Told = Callable[[int], None]
"""Is told how many tokens more have been read."""

_PIECE_SCORES = 1 << 22  # 16 MiB in float32: 64 tokens of Falcon's vocabulary


def piece_length(*backends: Backend[Any]) -> int:
    """Tokens a feed whose scores stay small, and after which a user's Ctrl-C is looked for."""
    return min(max(1, min(backend.chunk_length, _PIECE_SCORES // backend.vocab_size)) for backend in backends)


def window_scores(backend: Backend[Any], ids: Sequence[int], window: Window, piece: int) -> Iterator[tuple[int, Rows]]:
    """Feed a window in pieces. Of each: tokens fed, and the scores [n, V] of the next n tokens that are scored, which
    follow each other from `window.scored` on; n is 0 while only context is read."""
    state = backend.new_state()
    first = window.scored - 1  # its scores are the first that count
    for at in range(window.begin, first, piece):
        part = ids[at : min(at + piece, first)]
        backend.feed(part, state)
        yield len(part), np.empty((0, backend.vocab_size), np.float32)
    for at in range(first, window.end - 1, piece):
        part = ids[at : min(at + piece, window.end - 1)]
        yield len(part), backend.feed_all(part, state)


@dataclass(frozen=True)
class Pass:
    """How far `score` came: windows begun, and whether all tokens were scored."""

    windows: int
    complete: bool


def score(
    backends: Sequence[Backend[Any]],
    ids: Sequence[int],
    windows: Sequence[Window],
    *,
    take: Callable[[int, tuple[npt.NDArray[np.float32], ...]], None],
    cancelled: Callable[[], bool],
    told: Told,
) -> Pass:
    """Score every window by all `backends` side by side, a piece at a time: `take` gets each token and its rows [V],
    one a backend. `cancelled` is asked after every piece."""
    piece = piece_length(*backends)
    begun = 0
    for window in windows:
        at = window.scored
        for pieces in zip(*(window_scores(backend, ids, window, piece) for backend in backends), strict=True):
            fed, rows = pieces[0][0], [scores for _, scores in pieces]
            for target, *each in zip(ids[at : at + len(rows[0])], *rows, strict=True):
                take(target, tuple(each))
            at += len(rows[0])
            told(fed)
            if cancelled():
                return Pass(begun + (at > window.scored), at == window.end and window is windows[-1])
        begun += at > window.scored
    return Pass(begun, complete=True)


def shifted(row: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Scores [V] in float64, their largest moved to 0: the distribution is the same.

    Raises ModelOutputError where one is no finite number.
    """
    if not np.isfinite(row).all():
        raise ModelOutputError(
            "The model gave scores that are NaN or infinite; `python -m runtime doctor BUNDLE` tells on which device "
            "the bundle computes rightly."
        )
    wide: npt.NDArray[np.float64] = row.astype(np.float64)
    wide -= wide.max()
    return wide


def log_normalizer(scores: npt.NDArray[np.float64]) -> float:
    """ln Σ exp of shifted scores [V]."""
    return float(np.log(np.exp(scores).sum()))
