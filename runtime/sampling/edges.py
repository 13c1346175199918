"""Edges: the one value up to which a filter keeps tokens, found without sorting them all. C candidates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from runtime.sampling.scratch import Scores, scratch

_GROUPS = 1024  # by whose tops the edge of top-k is narrowed
_SORTED = 3072  # tokens that are sorted without a thought: 0.06 ms
_SAMPLED = 1024  # tokens by which an edge is guessed
_SLACK = 1.25  # times the mass that a guess missed is looked through beside it
_SPARE = 2  # sampled tokens, and those between them, looked through beyond that
_BLOCK = 64  # tokens summed at a time
_ONES = np.ones(_BLOCK, np.float32)


def top_places(scores: Scores, count: int) -> npt.NDArray[np.intp]:
    """Where the `count` (1 to C - 1) highest of `scores` [C] are, and all that tie with the last of them."""
    tops = _tops(scores)
    if count > len(tops):
        return np.flatnonzero(scores >= _highest(scores, count))
    # That many groups reach the count-th highest of the groups' tops, so the edge is there or above.
    places = np.flatnonzero(scores >= _highest(tops, count))
    scores = scores[places]
    return places[scores >= _highest(scores, count)]


def mass_edge(keys: Scores, weights: Scores, wanted: float, total: float) -> np.float32:
    """The smallest of `keys` [C], none below 0, up to which `weights` [C] reach `wanted`; else the largest of all.

    `total` is the sum of the weights. A sample guesses the edge. The exact mass up to the guess tells by how much it
    missed, and only the tokens there are looked through, and if need be those beyond, in the same way.
    """
    while len(keys) > _SORTED:
        few, running = _sampled(keys, weights)
        last = len(few) - 1
        # By what the sample says of the mass above: the heavy tokens, which it may lack, are below.
        place = min(int(running.searchsorted(wanted - total + running[-1])), last)
        guess = few[place]
        mass = _mass(weights, keys <= guess)
        aim = int(running.searchsorted(running[place] + _SLACK * (wanted - mass)))
        if wanted > mass:
            high = few[aim + _SPARE] if aim + _SPARE <= last else np.float32(np.inf)
            places, total = _between(keys, weights, guess, high)
            wanted -= mass
            if wanted > total and high < np.inf:
                wanted -= total
                places = np.flatnonzero(keys > high)
                total = float(weights[places].sum())
                guess = high
            if not len(places):  # rounding: nothing is above
                return guess
        else:
            low = few[aim - _SPARE] if aim >= _SPARE else np.float32(-1)
            places, inside = _between(keys, weights, low, guess)
            below = mass - inside if aim >= _SPARE else 0.0
            if wanted > below:
                wanted, total = wanted - below, inside
            else:
                places, total = np.flatnonzero(keys <= low), below
            if len(places) == len(keys):  # so many tie with the guess: without them every round leaves fewer
                places = np.flatnonzero(keys < guess)
                total = float(weights[places].sum())
                if wanted > total or not len(places):
                    return guess
        keys, weights = keys[places], weights[places]
    order = _order(keys)
    place = int(np.cumsum(weights[order], dtype=np.float64).searchsorted(wanted))
    return np.float32(keys[order[min(place, len(keys) - 1)]])


def total_of(weights: Scores) -> float:
    """The sum of `weights` [C], by blocks in float32 whose sums are added in float64."""
    whole = len(weights) // _BLOCK * _BLOCK
    return float((weights[:whole].reshape(-1, _BLOCK) @ _ONES).sum(dtype=np.float64)) + float(weights[whole:].sum())


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


def _sampled(keys: Scores, weights: Scores) -> tuple[Scores, npt.NDArray[np.float64]]:
    """Every so many-th of `keys` [C], sorted, and about how much mass there is up to each, but for a constant."""
    stride = len(keys) // _SAMPLED
    few = keys[::stride]
    order = _order(few)
    running: npt.NDArray[np.float64] = np.cumsum(weights[::stride][order], dtype=np.float64)
    running *= len(keys) / len(few)
    return few[order], running


def _mass(weights: Scores, mask: npt.NDArray[np.bool_]) -> float:
    """The sum of `weights` [C] where `mask` [C] is True."""
    chosen = scratch("chosen", len(mask))
    chosen[:] = mask
    return float(np.dot(weights, chosen))


def _between(
    keys: Scores, weights: Scores, low: np.float32, high: np.float32
) -> tuple[npt.NDArray[np.intp], float]:
    """Where `keys` [C] are above `low` and not above `high`, and the mass there."""
    inside = keys > low
    inside &= keys <= high
    places = np.flatnonzero(inside)
    return places, float(weights[places].sum())


def _order(keys: Scores) -> npt.NDArray[np.intp]:
    """The places that sort `keys` [C], none below 0: argsort at the speed of sort, half its time.

    The bits of such floats sort as they do, so that bits and place fit into one whole number.
    """
    packed = np.ascontiguousarray(keys).view(np.uint32).astype(np.uint64)
    packed <<= np.uint64(32)
    packed |= np.arange(len(keys), dtype=np.uint64)
    packed.sort()
    packed &= np.uint64(0xFFFFFFFF)
    return packed.view(np.intp) if np.intp(0).itemsize == packed.itemsize else packed.astype(np.intp)
