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
from runtime.sampling.edges import mass_edge, top_places, total_of
from runtime.sampling.scratch import Scores, scratch

_DENSE = 1 / 16  # share of tokens from which dropping the others costs more than giving them no weight
_LARGEST = np.finfo(np.float32).max


@dataclass(slots=True)
class Candidates:
    """Tokens that are still in the race, in this thread's scratch memory: one object at a time.

    `ids` None is the whole vocabulary.
    """

    ids: npt.NDArray[np.intp] | None
    gaps: Scores  # [C], how far each score is below the highest
    weights: Scores  # [C], in proportion to probability; 0 for a token that was dropped

    @classmethod
    def of(cls, scores: Scores, ids: npt.NDArray[np.intp] | None, top_k: int, temperature: float) -> Candidates:
        """The `top_k` highest of `scores` [C] (0: all), weighed at `temperature`."""
        if 0 < top_k < len(scores):
            places = top_places(scores, top_k)
            scores, ids = scores[places], places if ids is None else ids[places]
        with np.errstate(over="ignore"):  # what is that far below weighs 0
            gaps = np.subtract(scores.max(), scores, out=scratch("gaps", len(scores)))
        return cls(ids, gaps, _weighed(gaps, temperature))

    def keep(self, mask: npt.NDArray[np.bool_]) -> None:
        """Drop all for which `mask` [C] is False."""
        left = np.count_nonzero(mask)
        if left > len(mask) * _DENSE:
            self.weights *= mask
            return
        places = np.flatnonzero(mask)
        self.ids = places if self.ids is None else self.ids[places]
        self.gaps, self.weights = self.gaps[places], self.weights[places]

    def keep_likely(self, top_p: float, min_p: float) -> None:
        """Top-p (Holtzman et al. 2020): a token stays while all likelier ones hold less than `top_p` of the mass.
        Then min-p (Nguyen et al. 2024): it stays if it is at least `min_p` times as likely as the likeliest.

        Min-p goes first over the tokens: both keep likely ones, so with the mass of all known the result is the same,
        and the edge of top-p is looked for among fewer.
        """
        total = total_of(self.weights) if top_p < 1 else 0.0
        size = len(self.weights)
        if min_p > 0:
            self.keep(self.weights >= np.float32(min_p) * self.weights.max())
        if top_p >= 1:
            return
        # All tokens below this together hold less than top-p leaves out.
        within = self.weights >= np.float32((1 - top_p) * total / size)
        if np.count_nonzero(within) <= len(within) * _DENSE:
            self.keep(within)
        left = total_of(self.weights)
        if left > top_p * total:
            self.keep(self.gaps <= mass_edge(self.gaps, self.weights, top_p * total, left))

    def keep_typical(self, share: float) -> None:
        """Locally typical (Meister et al. 2022): tokens stay, those first whose surprise is nearest to the mean one
        (the entropy), until they hold `share` of the mass.

        Surprise is gap / temperature plus a constant, so that gaps and their mean tell the order.
        """
        if share >= 1:
            return
        total = total_of(self.weights)
        mean = self._mean_gap(total)
        if not math.isfinite(mean):  # 0 · infinity is no number
            np.minimum(self.gaps, _LARGEST, out=self.gaps)
            mean = self._mean_gap(total)
        distance = np.subtract(self.gaps, np.float32(mean), out=scratch("distance", len(self.gaps)))
        np.abs(distance, out=distance)
        self.keep(distance <= mass_edge(distance, self.weights, share * total, total))

    def _mean_gap(self, total: float) -> float:
        with np.errstate(invalid="ignore"):
            return float(np.dot(self.weights, self.gaps)) / total

    def reweigh(self, temperature: float) -> None:
        """Weigh what is left anew at `temperature`."""
        live = self.weights > 0
        self.gaps -= self.gaps[np.argmax(self.weights)]  # typical may have dropped all above
        self.weights = _weighed(np.abs(self.gaps, out=self.gaps), temperature)
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


def _weighed(gaps: Scores, temperature: float) -> Scores:
    """exp(-gap / temperature) [C]."""
    with np.errstate(over="ignore"):
        weights = np.multiply(gaps, np.float32(-1 / temperature), out=scratch("weights", len(gaps)))
    return np.exp(weights, out=weights)
