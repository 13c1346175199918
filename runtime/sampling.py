"""Sampling: the next token from the model's scores. The order of steps is transformers': repetition penalty,
temperature, top-k, top-p, min-p.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runtime.errors import ModelOutputError, OptionError

_GREEDY_BELOW = 1e-4  # scores divided by less overflow; there the likeliest token has all the mass anyway
_BLOCK = 64  # tokens summed or compared at a time
_SORTED = 8192  # tokens that are sorted without a thought: 0.1 ms
_HALVINGS = 10  # leave about a thousandth of the range

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """How to choose among tokens. Raises OptionError for a value outside its range.

    The same seed, scores and numpy give the same tokens (numpy's PCG64); without a seed each answer differs.
    """

    temperature: float = 0.7  # 0 is greedy
    top_k: int = 0  # likeliest tokens kept, with those that tie with the last; 0 keeps all
    top_p: float = 0.95  # likeliest tokens kept until they hold this share of the mass; 1 keeps all
    min_p: float = 0.0  # tokens dropped that are less likely than this share of the likeliest; 0 keeps all
    repetition_penalty: float = 1.0  # 1 is off; above, tokens of the window become less likely (Keskar et al. 2019)
    repetition_window: int = 64  # last tokens, the prompt's included, that are penalised; 0 is all
    seed: int | None = None

    def __post_init__(self) -> None:
        _check_number("temperature", self.temperature, 0, 100)
        _check_number("top_p", self.top_p, 0, 1)
        if not self.top_p:
            raise OptionError("top_p must be above 0: at 0 no token is left; for the likeliest use temperature 0.")
        _check_number("min_p", self.min_p, 0, 1)
        _check_number("repetition_penalty", self.repetition_penalty, 0.1, 10)
        _check_whole("top_k", self.top_k)
        _check_whole("repetition_window", self.repetition_window)
        if self.seed is not None:
            _check_whole("seed", self.seed)

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is always taken."""
        return self.temperature < _GREEDY_BELOW

    def generator(self) -> np.random.Generator:
        """A new source of chance for one answer, the same for the same seed."""
        return np.random.Generator(np.random.PCG64(self.seed))


def sample(logits: Scores, history: Sequence[int], config: SamplingConfig, generator: np.random.Generator) -> int:
    """One token id, chosen by `logits` [V], which is not changed. `history` is every token so far, the prompt's too.

    Raises ModelOutputError for NaN or infinity. Ties in greedy go to the lowest id.
    """
    scores = _penalised(logits, history, config)
    if config.greedy:
        return int(np.argmax(scores))
    ids, weights = _weigh(scores, config)
    place = _pick(weights, generator.random())
    return place if ids is None else int(ids[place])


def distribution(logits: Scores, history: Sequence[int], config: SamplingConfig) -> npt.NDArray[np.float64]:
    """The probabilities [V] by which `sample` chooses."""
    scores = _penalised(logits, history, config)
    chances = np.zeros(len(scores))
    if config.greedy:
        chances[np.argmax(scores)] = 1
        return chances
    ids, weights = _weigh(scores, config)
    chances[slice(None) if ids is None else ids] = weights
    chances /= chances.sum()
    return chances


def _weigh(scores: Scores, config: SamplingConfig) -> tuple[npt.NDArray[np.intp] | None, Scores]:
    """Weights [C] of the tokens `ids` [C] (None: all), in proportion to probability, 0 for what is filtered out.

    A tie at the edge of top-k or top-p is kept whole, so that no token's chance depends on an order of equals.
    """
    ids = None
    if 0 < config.top_k < len(scores):
        ids = np.flatnonzero(scores >= _top_edge(scores, config.top_k))
        scores = scores[ids]
    weights = scores - scores.max()
    weights /= np.float32(config.temperature)
    np.exp(weights, out=weights)  # in place: a new array of this size costs more than the arithmetic
    edge = np.float32(config.min_p)  # the likeliest token weighs 1
    if config.top_p < 1:
        edge = max(edge, _nucleus_edge(weights, config.top_p))
    if edge > 0:
        weights *= weights >= edge
    return ids, weights


def _penalised(logits: Scores, history: Sequence[int], config: SamplingConfig) -> Scores:
    """`logits` [V], or a copy in which the tokens of the window are less likely."""
    if not np.isfinite(logits).all():
        raise ModelOutputError(
            "The model produced scores that are not finite (NaN or infinity): its arithmetic overflowed on this "
            "device; try another backend, or export the model again."
        )
    window = history[-config.repetition_window :] if config.repetition_window else history
    if config.repetition_penalty == 1 or not window:
        return logits
    scores = logits.copy()
    seen = np.unique(np.asarray(window))
    seen = seen[seen < len(scores)]  # padded ids, which have no score here
    values = scores[seen]
    penalty = np.float32(config.repetition_penalty)
    scores[seen] = np.where(values < 0, values * penalty, values / penalty)
    return scores


def _top_edge(scores: Scores, count: int) -> np.float32:
    """The `count`-th highest of `scores` [V]."""
    tops = np.maximum.reduceat(scores, np.arange(0, len(scores), _BLOCK))
    if count <= len(tops):
        # That many blocks reach the count-th highest of the blocks' tops, so the edge is there or above.
        scores = scores[np.flatnonzero(scores >= np.partition(tops, len(tops) - count)[len(tops) - count])]
    return np.float32(np.partition(scores, len(scores) - count)[len(scores) - count])


def _nucleus_edge(weights: Scores, top_p: float) -> np.float32:
    """The smallest of `weights` [C] that top-p keeps: a token stays while all likelier ones hold less than `top_p`."""
    total = float(weights.sum(dtype=np.float64))
    wanted = top_p * total
    low = np.float32((total - wanted) / len(weights))  # all below it together hold less than top_p leaves out
    within = weights >= low
    above = 0.0  # mass of what is kept without a look
    if np.count_nonzero(within) > _SORTED:  # flat: halve the range, in logarithm, until few are inside
        high = np.float32(1.0001)  # above the likeliest
        for _ in range(_HALVINGS):
            middle = np.sqrt(low * high)
            if np.dot(weights, weights >= middle) < wanted:
                high = middle
            else:
                low = middle
        above = float(np.where(weights >= high, weights, 0).sum(dtype=np.float64))
        within = (weights >= low) & (weights < high)
    top = np.sort(weights[np.flatnonzero(within)])[::-1]
    place = int(np.searchsorted(above + np.cumsum(top, dtype=np.float64), wanted))
    return np.float32(top[min(place, len(top) - 1)]) if len(top) else low


def _pick(weights: Scores, chance: float) -> int:
    """The place in `weights` [C] where their running sum passes `chance` (0 to 1) of the whole; never one of weight 0.

    Sums blocks first: a running sum of all 65,024 weights would take most of a token's time.
    """
    starts = np.arange(0, len(weights), _BLOCK)
    masses = np.cumsum(np.add.reduceat(weights, starts), dtype=np.float64)
    wanted = chance * masses[-1]
    # Rounding may put `wanted` on the very end: then the last place that has any weight is meant.
    block = min(int(np.searchsorted(masses, wanted, side="right")), int(np.searchsorted(masses, masses[-1])))
    before = masses[block - 1] if block else 0.0
    running = before + np.cumsum(weights[starts[block] : starts[block] + _BLOCK], dtype=np.float64)
    place = min(int(np.searchsorted(running, wanted, side="right")), int(np.searchsorted(running, running[-1])))
    return int(starts[block]) + place


def _check_number(name: str, value: object, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value) or not low <= value <= high:
        raise OptionError(f"{name} must be a number from {low} to {high}, not {value!r}.")


def _check_whole(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise OptionError(f"{name} must be a whole number, 0 or more, not {value!r}.")
