"""Asked: what several rows are asked, as small tensors on the device of their scores. R rows, N ids padded.

Steps say which operations run, and are the same for all rows; the numbers that these work with differ by row. A row
that does not want a step which another wants gets a number by which the step changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from runtime.chooser import Ask
from runtime.sampling import LogitBias, SamplingConfig

_Arrays = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]  # of Changes, before they are moved

_FEW = 1024  # tokens by rank that are selected; more are sorted with all others
_PADDED = 16  # ids at least, and twice as many each time that more are needed: few shapes
# A row's numbers, 8 bytes a cell, so that all of them travel in one copy.
_NUMBERS = np.dtype(
    [
        ("rate", np.float32),  # -1 / temperature of the filters
        ("last_rate", np.float32),  # and of the choice
        ("reach", np.float32),  # of min-p: how far below the likeliest a score may be
        ("greedy", np.float32),  # 1 takes the likeliest
        ("top_p", np.float64),
        ("typical_p", np.float64),
        ("chance", np.float64),
        ("last", np.int64),  # rank of the last token that top-k keeps
    ]
)


@dataclass(frozen=True, kw_only=True)
class Steps:
    """What is done with the scores of some rows: which operations run, and nothing that differs by row."""

    choices: int  # the first so many ids can be chosen
    greedy: bool  # for all rows; then filters are left out
    some_greedy: bool = False
    temperature_last: bool = False
    top_k: bool = False
    selected: int = 0  # tokens by rank that the filters have to look at; 0 for all
    top_p: bool = False
    min_p: bool = False
    typical: bool = False
    bias: int = 0  # width of ids, padded; 0 leaves the step out
    repetition: int = 0
    generated: int = 0

    @property
    def ranks(self) -> bool:
        """Whether tokens have to be put in order."""
        return self.top_k or self.top_p or self.typical


@dataclass(frozen=True)
class Changes:
    """Ids [R, N] and what each row does to their scores."""

    ids: Tensor
    values: Tensor  # [R, N] is added; [R, 1] is the factor of a penalty


@dataclass(frozen=True)
class Asked:
    """The numbers of R rows, which the operations of their `Steps` read."""

    numbers: Tensor  # [R, 6] of 8 bytes a cell
    bias: Changes | None = None
    repetition: Changes | None = None
    generated: Changes | None = None

    @property
    def rate(self) -> Tensor:
        """[R, 1], float32."""
        return self.numbers.view(torch.float32)[:, 0:1]

    @property
    def last_rate(self) -> Tensor:
        """[R, 1], float32."""
        return self.numbers.view(torch.float32)[:, 1:2]

    @property
    def reach(self) -> Tensor:
        """[R, 1], float32."""
        return self.numbers.view(torch.float32)[:, 2:3]

    @property
    def greedy(self) -> Tensor:
        """[R, 1], float32: 0 or 1."""
        return self.numbers.view(torch.float32)[:, 3:4]

    @property
    def top_p(self) -> Tensor:
        """[R, 1], float64."""
        return self.numbers.view(torch.float64)[:, 2:3]

    @property
    def typical_p(self) -> Tensor:
        """[R, 1], float64."""
        return self.numbers.view(torch.float64)[:, 3:4]

    @property
    def chance(self) -> Tensor:
        """[R, 1], float64."""
        return self.numbers.view(torch.float64)[:, 4:5]

    @property
    def last(self) -> Tensor:
        """[R, 1], int64."""
        return self.numbers[:, 5:6]

    def like(self, device: torch.device | str, *, pinned: bool = False) -> Asked:
        """Memory on `device` for the numbers of as many rows with equal `Steps`, pinned where asked."""

        def room(tensor: Tensor) -> Tensor:
            return torch.empty_like(tensor, device=device, pin_memory=pinned)

        changes = (self.bias, self.repetition, self.generated)
        return Asked(room(self.numbers), *(one and Changes(room(one.ids), room(one.values)) for one in changes))

    def overwrite(self, other: Asked) -> None:
        """Put in place the numbers of `other`, of as many rows with equal `Steps`; nobody waits where its memory is
        pinned."""
        for mine, theirs in zip(self._tensors(), other._tensors(), strict=True):
            mine.copy_(theirs, non_blocking=True)

    def _tensors(self) -> list[Tensor]:
        changes = [one for one in (self.bias, self.repetition, self.generated) if one is not None]
        return [self.numbers, *(tensor for one in changes for tensor in (one.ids, one.values))]


def filters_first(config: SamplingConfig) -> bool:
    """Whether temperature acts after filters that it would change; rows where it does go apart from the others."""
    return config.order == "llama.cpp" and (config.typical_p, config.top_p, config.min_p) != (1, 1, 0)


def prepared(asks: Sequence[Ask], device: torch.device | str) -> tuple[Steps, Asked]:
    """What R rows are asked, with its numbers on `device`. They have the same `choices`, and all that are not greedy
    agree in `filters_first`.

    Raises OptionError for a bias outside the choices.
    """
    configs = [ask.config for ask in asks]
    choices = asks[0].choices
    drawn = [config for config in configs if not config.greedy]
    ranks = [_rank(config, choices) for config in drawn]
    changes = _added(asks, _bias), _repetition(asks), _added(asks, _generated)
    widths = [0 if arrays is None else arrays[0].shape[1] for arrays in changes]
    steps = Steps(
        choices=choices,
        greedy=not drawn,
        some_greedy=0 < len(drawn) < len(asks),
        temperature_last=any(map(filters_first, drawn)),
        top_k=min(ranks, default=choices) < choices,
        selected=max(ranks, default=0) if max(ranks, default=0) <= min(_FEW, choices - 1) else 0,
        top_p=any(config.top_p < 1 for config in drawn),
        min_p=any(config.min_p > 0 for config in drawn),
        typical=any(config.typical_p < 1 for config in drawn),
        bias=widths[0],
        repetition=widths[1],
        generated=widths[2],
    )
    numbers = np.array([_numbers(ask, steps) for ask in asks], _NUMBERS).view(np.int64).reshape(len(asks), -1)
    bias, repetition, generated = (
        None if arrays is None else Changes(*(torch.from_numpy(array).to(device) for array in arrays))
        for arrays in changes
    )
    return steps, Asked(torch.from_numpy(numbers).to(device), bias, repetition, generated)


def _rank(config: SamplingConfig, choices: int) -> int:
    return min(config.top_k, choices) or choices


def _numbers(ask: Ask, steps: Steps) -> tuple[float, ...]:
    config = ask.config
    if config.greedy:
        return (-1, -1, np.inf, 1, 1, 1, 0, 0)
    last_rate = -1 / config.temperature
    rate = -1 if steps.temperature_last else last_rate
    reach = float(np.log(config.min_p)) / rate if config.min_p else np.inf
    rank = _rank(config, steps.choices)
    return (rate, last_rate, reach, 0, config.top_p, config.typical_p, ask.chance, rank - 1)


def _bias(ask: Ask) -> _Arrays:
    ask.config.check_vocabulary(ask.choices)
    assert isinstance(ask.config.logit_bias, LogitBias)
    return ask.config.logit_bias.ids.astype(np.int64), ask.config.logit_bias.values_by_id


def _generated(ask: Ask) -> _Arrays:
    """OpenAI's formula: what presence and frequency penalty take from each generated token."""
    config = ask.config
    if not config.presence_penalty and not config.frequency_penalty:
        return np.empty(0, np.int64), np.empty(0, np.float32)
    ids, counts = np.unique(_known(ask.history[ask.prompt_length :], ask.choices), return_counts=True)
    return ids, -(counts * config.frequency_penalty + config.presence_penalty).astype(np.float32)


def _known(tokens: Sequence[int], choices: int) -> npt.NDArray[np.int64]:
    """Without ids that cannot be chosen."""
    ids = np.asarray(tokens, np.int64)
    return ids[(ids >= 0) & (ids < choices)]


def _added(asks: Sequence[Ask], of: Callable[[Ask], _Arrays]) -> _Arrays | None:
    """What `of` says of each row, padded by ids to whose score 0 is added. None where no row changes anything."""
    rows = [of(ask) for ask in asks]
    width = _padded(max(len(ids) for ids, _ in rows))
    if not width:
        return None
    ids, values = np.zeros((len(rows), width), np.int64), np.zeros((len(rows), width), np.float32)
    for row, (some, theirs) in enumerate(rows):
        ids[row, : len(some)], values[row, : len(some)] = some, theirs
    return ids, values


def _repetition(asks: Sequence[Ask]) -> _Arrays | None:
    """The tokens in each row's window, padded by more of the same: all of a token's places are written alike."""
    rows = [
        _known(ask.history[-ask.config.repetition_window :], ask.choices)
        if ask.config.repetition_penalty != 1
        else np.empty(0, np.int64)
        for ask in asks
    ]
    width = _padded(max(map(len, rows)))
    if not width:
        return None
    ids, factors = np.zeros((len(rows), width), np.int64), np.ones((len(rows), 1), np.float32)
    for row, (ask, some) in enumerate(zip(asks, rows, strict=True)):
        if len(some):
            ids[row] = some[0]
            ids[row, : len(some)] = some
            factors[row] = ask.config.repetition_penalty
    return ids, factors


def _padded(count: int) -> int:
    return max(_PADDED, 1 << (count - 1).bit_length()) if count else 0
