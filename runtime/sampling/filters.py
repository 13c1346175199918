"""The filters: which tokens stay in the race, in either order. C candidates: the tokens that are still in it.

No filter sorts the vocabulary: each looks for the one value on its edge, in ever fewer tokens around it. A tie on an
edge is kept whole, so that no token's chance depends on an order of equals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runtime.sampling.config import SamplingConfig
from runtime.sampling.scratch import Scores, scratch

_GROUPS = 1024  # by whose tops the edge of top-k is narrowed
_DENSE = 1 / 16  # share of tokens from which dropping the others costs more than giving them no weight
_SORTED = 6144  # tokens that are sorted without a thought: 0.1 ms
_SAMPLED = 1024  # tokens by which an edge is guessed
_MARGIN = 0.002  # of the mass, on either side of the guess: two of the sampled tokens
_BLOCK = 64  # tokens summed at a time
_ONES = np.ones(_BLOCK, np.float32)
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

    def keep_nucleus(self, share: float) -> None:
        """Top-p (Holtzman et al. 2020): a token stays while all likelier ones hold less than `share` of the mass."""
        if share >= 1:
            return
        total = total_of(self.weights)
        # All tokens below this together hold less than top-p leaves out.
        within = self.weights >= np.float32((1 - share) * total / len(self.weights))
        if np.count_nonzero(within) <= len(within) * _DENSE:
            self.keep(within)
        self.keep(self.gaps <= mass_edge(self.gaps, self.weights, share * total))

    def keep_likely(self, share: float) -> None:
        """Min-p (Nguyen et al. 2024): a token stays that is at least `share` times as likely as the likeliest."""
        if share > 0:
            self.keep(self.weights >= np.float32(share) * self.weights.max())

    def keep_typical(self, share: float) -> None:
        """Locally typical (Meister et al. 2022): tokens stay, those first whose surprise is nearest to the mean one
        (the entropy), until they hold `share` of the mass.

        Surprise is gap / temperature plus a constant, so that gaps and their mean tell the order.
        """
        if share >= 1:
            return
        # 0 · infinity is no number
        distance = np.minimum(self.gaps, _LARGEST, out=scratch("distance", len(self.gaps)))
        total = total_of(self.weights)
        distance -= np.float32(float(np.dot(self.weights, distance)) / total)
        np.abs(distance, out=distance)
        self.keep(distance <= mass_edge(distance, self.weights, share * total))

    def reweigh(self, temperature: float) -> None:
        """Weigh what is left anew at `temperature`."""
        live = self.weights > 0
        nearest = self.gaps[np.argmax(self.weights)]  # typical may have dropped all above
        self.gaps -= nearest
        self.weights = _weighed(np.maximum(self.gaps, 0, out=self.gaps), temperature)
        self.weights *= live


def filtered(scores: Scores, ids: npt.NDArray[np.intp] | None, config: SamplingConfig) -> Candidates:
    """The tokens that `config` leaves of `ids` [C] (None: all), whose scores are `scores` [C], weighed."""
    first = config.order == "transformers" or (config.typical_p, config.top_p, config.min_p) == (1, 1, 0)
    left = Candidates.of(scores, ids, config.top_k, config.temperature if first else 1)
    if config.order == "llama.cpp":
        left.keep_typical(config.typical_p)
    left.keep_nucleus(config.top_p)
    left.keep_likely(config.min_p)
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


def top_places(scores: Scores, count: int) -> npt.NDArray[np.intp]:
    """Where the `count` (1 to C - 1) highest of `scores` [C] are, and all that tie with the last of them."""
    tops = _tops(scores)
    if count > len(tops):
        return np.flatnonzero(scores >= _highest(scores, count))
    # That many groups reach the count-th highest of the groups' tops, so the edge is there or above.
    places = np.flatnonzero(scores >= _highest(tops, count))
    scores = scores[places]
    return places[scores >= _highest(scores, count)]


def _highest(scores: Scores, count: int) -> np.float32:
    """The `count`-th highest of `scores` [C]."""
    return np.float32(np.partition(scores, len(scores) - count)[len(scores) - count])


def _tops(scores: Scores) -> Scores:
    """The highest of each of up to 1,024 groups of `scores` [C], whichever: folded in halves, as no one asks which."""
    while len(scores) > _GROUPS:
        half = len(scores) // 2
        folded = np.maximum(scores[:half], scores[half : 2 * half])
        folded[0] = max(folded[0], scores[-1])  # an odd one out
        scores = folded
    return scores


def mass_edge(keys: Scores, weights: Scores, wanted: float) -> np.float32:
    """The smallest of `keys` [C], none below 0, up to which `weights` [C] reach `wanted`; else the largest of all.

    A sample tells about where it is; what lies around it is then looked through in the same way.
    """
    while len(keys) > _SORTED:
        total = total_of(weights)
        low, high = _guess(keys, weights, wanted, total)
        mass = _mass(weights, keys <= low)
        if wanted <= mass:
            inside = keys < low  # without the guess itself, so that every round leaves fewer
            if wanted > _mass(weights, inside):
                return low
            mass = 0.0
        else:
            inside = keys > high
            reached = total - _mass(weights, inside)
            if wanted > reached:
                mass = reached
            else:
                inside = (keys > low) & (keys <= high)
        places = np.flatnonzero(inside)
        if not len(places):  # rounding: the guess is the edge
            return high
        wanted -= mass
        keys, weights = keys[places], weights[places]
    order = _order(keys)
    place = int(np.searchsorted(np.cumsum(weights[order], dtype=np.float64), wanted))
    return np.float32(keys[order[min(place, len(keys) - 1)]])


def total_of(weights: Scores) -> float:
    """The sum of `weights` [C], by blocks in float32 whose sums are added in float64."""
    whole = len(weights) // _BLOCK * _BLOCK
    return float((weights[:whole].reshape(-1, _BLOCK) @ _ONES).sum(dtype=np.float64)) + float(weights[whole:].sum())


def _mass(weights: Scores, mask: npt.NDArray[np.bool_]) -> float:
    """The sum of `weights` [C] where `mask` [C] is True."""
    chosen = scratch("chosen", len(mask))
    chosen[:] = mask
    return float(np.dot(weights, chosen))


def _guess(keys: Scores, weights: Scores, wanted: float, total: float) -> tuple[np.float32, np.float32]:
    """Two of `keys` [C] between which the running sum of `weights` [C] probably passes `wanted` of `total`.

    What lies below a first guess is summed exactly, and below a second one: how far that is off tells where to look.
    """
    stride = len(keys) // _SAMPLED
    few, masses = keys[::stride], weights[::stride]
    order = _order(few)
    sums = np.cumsum(masses[order], dtype=np.float64)
    shares = sums / sums[-1]
    last = len(few) - 1
    aim, miss = wanted / total, 0.0
    for _ in range(2):
        guess = few[order[min(int(np.searchsorted(shares, aim)), last)]]
        miss = (wanted - _mass(weights, keys <= guess)) / total
        aim += miss
    margin = abs(miss) / 2 + _MARGIN
    low, high = np.searchsorted(shares, (aim - margin, aim + margin))
    return few[order[min(int(low), last)]], few[order[min(int(high), last)]]


def _order(keys: Scores) -> npt.NDArray[np.uint64]:
    """The places that sort `keys` [C], none below 0: argsort at the speed of sort, a third of its time.

    The bits of such floats sort as they do, so that bits and place fit into one whole number.
    """
    packed = np.ascontiguousarray(keys).view(np.uint32).astype(np.uint64) << np.uint64(32)
    packed |= np.arange(len(keys), dtype=np.uint64)
    packed.sort()
    packed &= np.uint64(0xFFFFFFFF)
    return packed
