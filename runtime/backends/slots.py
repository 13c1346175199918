"""Slots: the memory that a step of R rows is fed through, its inputs and scores at fixed addresses on host and card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.cache import KeyValueCache
from models.cuda.rows import Rows
from models.cuda.step import RowDecoder
from runtime.backends.choosing import Part, choose_each
from runtime.backends.graphs import RecordedCall
from runtime.backends.recorded_choice import RecordedChoice
from runtime.errors import UserFacingError

Caches = tuple[KeyValueCache, ...]
"""Of one state: a cache for each stage of the decoder, on its device."""


@dataclass(frozen=True)
class Row:
    """One token of one state."""

    token: int
    position: int
    caches: Caches


class Slots:
    """`count` rows, fewer ones padded; recorded as a graph where the decoder runs on one card."""

    def __init__(self, decoder: RowDecoder, count: int, pool: tuple[int, int] | None) -> None:
        """`pool` is the memory of graphs; None computes step by step, as several devices and the interpreter need."""
        self._decoder = decoder
        on_card = decoder.stages[0].device.type == "cuda"
        self._host = torch.zeros((2 + 2 * len(decoder.stages), count), dtype=torch.int64, pin_memory=on_card)
        self._host[1] = -1
        self._inputs = [torch.empty_like(self._host, device=stage.device) for stage in decoder.stages]
        self._copy_in()
        self._pool = pool
        self._recorded = None if pool is None else _recorded(self._score, decoder.stages[0].device, pool)
        self._choice: RecordedChoice | None = None
        self._scores: Tensor | None = None

    def step(self, rows: Sequence[Row], first: int) -> npt.NDArray[np.float32]:
        """Append the rows' tokens; scores after rows `first` to the last, [rows - first, V], the caller's own."""
        out = self._start(rows)
        wanted = out[first : len(rows)]
        if out.device.type == "cpu":
            return wanted.numpy().copy()
        if self._scores is None:
            self._scores = torch.empty(out.shape, dtype=torch.float32, pin_memory=True)
        host = self._scores[first : len(rows)].copy_(wanted, non_blocking=True)
        torch.cuda.current_stream(out.device).synchronize()
        return host.numpy().copy()

    def choose(self, rows: Sequence[Row], parts: Sequence[Part]) -> list[list[int] | UserFacingError]:
        """Append the tokens of rows, which are those of `parts` one after the other: what `choose_each` gives."""
        out = self._start(rows)
        if self._pool is None:
            return choose_each(out[: len(rows)], parts)
        if self._choice is None:
            device, pool = self._decoder.stages[0].device, self._pool
            # Not over `self`: who lets go of the slots gets the card's memory back then, not when cycles are collected.
            self._choice = RecordedChoice(out, lambda call: _recorded(call, device, pool).repeat)
        self._choice.ask(parts)  # prepared while the scores are made
        return self._choice.chosen()

    def _start(self, rows: Sequence[Row]) -> Tensor:
        """Scores after all rows, [count, V], where they are made; the next step overwrites them."""
        fill(self._host, rows)
        self._copy_in()
        return self._score() if self._recorded is None else self._recorded.repeat()

    def _copy_in(self) -> None:
        for inputs in self._inputs:
            inputs.copy_(self._host, non_blocking=True)

    def _score(self) -> Tensor:
        return self._decoder.score(self._inputs[0][0], rows_of(self._inputs), prompt=False)


def _recorded(call: Callable[[], Tensor], device: torch.device, pool: tuple[int, int]) -> RecordedCall:
    with torch.cuda.device(device):
        return RecordedCall(call, pool)


def fill(inputs: Tensor, rows: Sequence[Row]) -> None:
    """Write `rows` into int64 [2 + 2 stages, R]: tokens, positions, each stage's addresses; what is left is padding."""
    given = [
        [row.token for row in rows],
        [row.position for row in rows],
        *(
            [side.data_ptr() for side in sides]
            for stage in range((len(inputs) - 2) // 2)
            for sides in (
                [row.caches[stage].key_cache for row in rows],
                [row.caches[stage].value_cache for row in rows],
            )
        ),
    ]
    array = inputs.numpy()
    array[:, : len(rows)] = given
    array[1, len(rows) :] = -1


def rows_of(inputs: Sequence[Tensor]) -> list[Rows]:
    """The rows in such tensors, one on each stage's device."""
    return [Rows(tensor[1], tensor[2 + 2 * stage], tensor[3 + 2 * stage]) for stage, tensor in enumerate(inputs)]
