"""The filters: which tokens stay in the race, in either order. C candidates: the tokens that are still in it.

No filter sorts the vocabulary: each looks for the one value on its edge, in ever fewer tokens around it. A tie on an
edge is kept whole, so that no token's chance depends on an order of equals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runtime.sampling.config import SamplingConfig
from runtime.sampling.edges import FEW, mass_edge, product_of, share_of, top_places, total_of
from runtime.sampling.scratch import Scores, scratch

_DENSE = 1 / 16  # share of tokens from which dropping the others costs more than giving them no weight
_LARGEST = np.finfo(np.float32).max
_SIGN = np.int32(-(2**31))


@dataclass(slots=True)
class Candidates:
    """Tokens that are still in the race, in this thread's scratch memory: one object at a time.

    `ids` None is the whole vocabulary.
    """

    ids: npt.NDArray[np.intp] | None
    scores: Scores  # [C], never changed
    highest: np.float32  # of the scores that there were at first
    weights: Scores  # [C], in proportion to probability; 0 for a token that was dropped
    holes: bool = False  # whether one of weight 0 may have a higher score than one that is left

    @classmethod
    def of(cls, scores: Scores, ids: npt.NDArray[np.intp] | None, top_k: int, temperature: float) -> Candidates:
        """The `top_k` highest of `scores` [C] (0: all), weighed at `temperature`."""
        if 0 < top_k < len(scores):
            places = top_places(scores, top_k)
            scores, ids = scores[places], places if ids is None else ids[places]
        highest = scores.max()
        weights = _above(scores, highest, scratch("weights", len(scores)))
        return cls(ids, scores, highest, _exponentials(weights, temperature))

    def keep(self, mask: npt.NDArray[np.bool_]) -> None:
        """Drop all for which `mask` [C] is False."""
        if len(mask) <= FEW or np.count_nonzero(mask) > len(mask) * _DENSE:
            chosen = scratch("chosen", len(mask))
            chosen[:] = mask  # a product with booleans takes longer than both
            self.weights *= chosen
            return
        places = np.flatnonzero(mask)
        self.ids = places if self.ids is None else self.ids[places]
        self.scores, self.weights = self.scores[places], self.weights[places]

    def keep_likely(self, top_p: float, min_p: float) -> None:
        """Top-p (Holtzman et al. 2020): a token stays while all likelier ones hold less than `top_p` of the mass.
        Then min-p (Nguyen et al. 2024): it stays if it is at least `min_p` times as likely as the likeliest.

        Min-p goes first over the tokens: both keep likely ones, so with the mass of all known the result is the same,
        and the edge of top-p is looked for among fewer.
        """
        size, total = len(self.weights), total_of(self.weights) if top_p < 1 else 0.0
        left = total
        if min_p > 0:
            self.keep(self.weights >= np.float32(min_p) * self.weights.max())
        if top_p >= 1:
            return
        # All tokens below this together hold less than top-p leaves out; a sample tells whether dropping them pays.
        spare = np.float32((1 - top_p) * total / size)
        if len(self.weights) > FEW and share_of(self.weights, spare) < _DENSE:
            self.keep(self.weights >= spare)
        if min_p > 0 or len(self.weights) < size:
            left = total_of(self.weights)
        if left > top_p * total:
            self.keep(self.scores >= mass_edge(self.scores, self.weights, top_p * total, left, rising=not self.holes))

    def keep_typical(self, share: float) -> None:
        """Locally typical (Meister et al. 2022): tokens stay, those first whose surprise is nearest to the mean one
        (the entropy), until they hold `share` of the mass.

        Surprise is gap / temperature plus a constant, so that gaps and their mean tell the order.
        """
        if share >= 1:
            return
        total = total_of(self.weights)
        nearness = _above(self.scores, self.highest, scratch("nearness", len(self.scores)))
        mean = self._mean(nearness, total)
        if not math.isfinite(mean):  # 0 · infinity is no number
            np.maximum(nearness, -_LARGEST, out=nearness)
            mean = self._mean(nearness, total)
        nearness -= np.float32(mean)
        _make_negative(nearness)
        self.holes = True
        self.keep(nearness >= mass_edge(nearness, self.weights, share * total, total))

    def _mean(self, values: Scores, total: float) -> float:
        with np.errstate(invalid="ignore"):
            return product_of(self.weights, values) / total

    def reweigh(self, temperature: float) -> None:
        """Weigh what is left anew at `temperature`."""
        live = self.weights > 0
        weights = _above(self.scores, self.scores[np.argmax(self.weights)], self.weights)
        _make_negative(weights)  # typical may have dropped all above the likeliest; they must only not overflow
        self.weights = _exponentials(weights, temperature)
        self.weights *= live


def filtered(scores: Scores, ids: npt.NDArray[np.intp] | None, config: SamplingConfig) -> Candidates:
    """The tokens that `config` leaves of `ids` [C] (None: all), whose scores are `scores` [C], weighed."""
    first = config.order == "transformers" or (config.typical_p, config.top_p, config.min_p) == (1, 1, 0)
    left = Candidates.of(scores, ids, config.top_k, config.temperature if first else 1)
    if config.order == "llama.cpp":
        left.keep_typical(config.typical_p)
    left.keep_likely(config.top_p, config.min_p)
    if config.order == "transformers":
        left.keep_typical(config.typical_p)
    if not first and config.temperature != 1:
        left.reweigh(config.temperature)
    return left


def _above(scores: Scores, level: np.float32, out: Scores) -> Scores:
    """score - level [C], in `out`."""
    with np.errstate(over="ignore"):  # what is that far below weighs 0
        return np.subtract(scores, level, out=out)


def _exponentials(values: Scores, temperature: float) -> Scores:
    """exp(value / temperature), in place of `values` [C]."""
    if temperature != 1:
        with np.errstate(over="ignore"):
            values *= np.float32(1 / temperature)
    return np.exp(values, out=values)


def _make_negative(values: Scores) -> None:
    """-|value|, in place of `values` [C]; in one pass, by the bit that is their sign."""
    bits = values.view(np.int32)
    bits |= _SIGN
