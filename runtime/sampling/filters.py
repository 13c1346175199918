"""The filters: which tokens stay in the race, in either order. C candidates: the tokens that are still in it.

No filter sorts the vocabulary: each looks for the one value on its edge, in ever fewer tokens around it. A tie on an
edge is kept whole, so that no token's chance depends on an order of equals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runtime.sampling.config import SamplingConfig
from runtime.sampling.penalties import Scores

_BLOCK = 64  # tokens compared at a time
_SORTED = 1024  # tokens that are sorted without a thought: 20 µs
_SAMPLED = 1024  # tokens by which an edge is guessed
_MARGIN = 0.04  # of the mass, on either side of the guess: about 2.5 standard deviations
_LOWEST = np.finfo(np.float32).min


@dataclass(slots=True)
class Candidates:
    """Tokens that are still in the race. `ids` None is the whole vocabulary."""

    ids: npt.NDArray[np.intp] | None
    scores: Scores  # [C]
    weights: Scores  # [C], in proportion to probability

    @classmethod
    def of(cls, scores: Scores, ids: npt.NDArray[np.intp] | None, top_k: int, temperature: float) -> Candidates:
        """The `top_k` highest of `scores` [C] (0: all), weighed at `temperature`."""
        if 0 < top_k < len(scores):
            places = np.flatnonzero(scores >= top_edge(scores, top_k))
            scores, ids = scores[places], places if ids is None else ids[places]
        return cls(ids, scores, _weighed(scores, temperature))

    def keep(self, mask: npt.NDArray[np.bool_]) -> None:
        """Drop all for which `mask` [C] is False."""
        places = np.flatnonzero(mask)
        if len(places) < len(mask):
            self.ids = places if self.ids is None else self.ids[places]
            self.scores, self.weights = self.scores[places], self.weights[places]

    def keep_nucleus(self, share: float) -> None:
        """Top-p (Holtzman et al. 2020): a token stays while all likelier ones hold less than `share` of the mass."""
        if share < 1:
            self.keep(self.weights >= _nucleus_edge(self.weights, share))

    def keep_likely(self, share: float) -> None:
        """Min-p (Nguyen et al. 2024): a token stays that is at least `share` times as likely as the likeliest."""
        if share > 0:
            self.keep(self.weights >= np.float32(share) * self.weights.max())

    def keep_typical(self, share: float) -> None:
        """Locally typical (Meister et al. 2022): tokens stay, those first whose surprise is nearest to the mean one
        (the entropy), until they hold `share` of the mass.

        -log p is a constant less score / temperature, so that this is the distance of scores from their mean.
        """
        if share >= 1:
            return
        with np.errstate(over="ignore"):
            distance = self.scores - self.scores.max()
        np.maximum(distance, _LOWEST, out=distance)
        total = float(self.weights.sum(dtype=np.float64))
        distance -= np.float32(float(np.dot(self.weights, distance)) / total)
        np.abs(distance, out=distance)
        self.keep(distance <= mass_edge(distance, self.weights, share * total))

    def reweigh(self, temperature: float) -> None:
        """Weigh anew at `temperature`."""
        self.weights = _weighed(self.scores, temperature)


def filtered(scores: Scores, ids: npt.NDArray[np.intp] | None, config: SamplingConfig) -> Candidates:
    """The tokens that `config` leaves of `ids` [C] (None: all), whose scores are `scores` [C], weighed."""
    if config.order == "transformers":
        left = Candidates.of(scores, ids, config.top_k, config.temperature)
        left.keep_nucleus(config.top_p)
        left.keep_likely(config.min_p)
        left.keep_typical(config.typical_p)
        return left
    left = Candidates.of(scores, ids, config.top_k, 1)
    left.keep_typical(config.typical_p)
    left.keep_nucleus(config.top_p)
    left.keep_likely(config.min_p)
    if config.temperature != 1:
        left.reweigh(config.temperature)
    return left


def _weighed(scores: Scores, temperature: float) -> Scores:
    """exp(score / temperature) [C], 1 for the highest."""
    with np.errstate(over="ignore"):  # what is that far below weighs 0
        weights = scores - scores.max()
        if temperature != 1:
            weights /= np.float32(temperature)
    return np.exp(weights, out=weights)  # in place: a new array of this size costs more than the arithmetic


def top_edge(scores: Scores, count: int) -> np.float32:
    """The `count`-th highest of `scores` [C]."""
    tops = np.maximum.reduceat(scores, np.arange(0, len(scores), _BLOCK))
    if count <= len(tops):
        # That many blocks reach the count-th highest of the blocks' tops, so the edge is there or above.
        scores = scores[np.flatnonzero(scores >= np.partition(tops, len(tops) - count)[len(tops) - count])]
    return np.float32(np.partition(scores, len(scores) - count)[len(scores) - count])


def _nucleus_edge(weights: Scores, share: float) -> np.float32:
    """The smallest of `weights` [C] that top-p keeps."""
    total = float(weights.sum(dtype=np.float64))
    wanted = share * total
    low = np.float32((total - wanted) / len(weights))  # all below it together hold less than top-p leaves out
    within = weights[np.flatnonzero(weights >= low)]
    return -mass_edge(-within, within, wanted) if len(within) else low


def mass_edge(keys: Scores, weights: Scores, wanted: float) -> np.float32:
    """The smallest of `keys` [C] up to which (itself included) `weights` [C] reach `wanted`; else the largest of all.

    A sample tells about where it is; what lies around it is then looked through in the same way.
    """
    while len(keys) > _SORTED:
        total = float(weights.sum())  # pairwise, so exact enough in float32
        low, high = _guess(keys, weights, wanted / total)
        upto = keys <= low
        mass = float(np.dot(weights, upto))
        if wanted <= mass:
            inside = keys < low  # without the guess itself, so that every round leaves fewer
            if wanted > float(np.dot(weights, inside)):
                return low
            places = np.flatnonzero(inside)
        else:
            beyond = keys > high
            reached = total - float(np.dot(weights, beyond))
            if wanted > reached:
                mass, places = reached, np.flatnonzero(beyond)
                if not len(places):
                    return high
            else:
                places = np.flatnonzero(~(upto | beyond))
                if not len(places):
                    return high
            wanted -= mass
        keys, weights = keys[places], weights[places]
    order = np.argsort(keys)
    place = int(np.searchsorted(np.cumsum(weights[order], dtype=np.float64), wanted))
    return np.float32(keys[order[min(place, len(keys) - 1)]])


def _guess(keys: Scores, weights: Scores, share: float) -> tuple[np.float32, np.float32]:
    """Two of `keys` [C] between which the running sum of `weights` [C] probably passes `share` of the whole."""
    stride = len(keys) // _SAMPLED
    keys, weights = keys[::stride], weights[::stride]
    order = np.argsort(keys)
    sums = np.cumsum(weights[order], dtype=np.float64)
    low, high = np.searchsorted(sums, ((share - _MARGIN) * sums[-1], (share + _MARGIN) * sums[-1]))
    last = len(keys) - 1
    return keys[order[min(int(low), last)]], keys[order[min(int(high), last)]]
