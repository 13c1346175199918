"""Edges: the one value up to which a filter keeps tokens, found without sorting them all. C candidates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from runtime.sampling.scratch import Scores, scratch

_ROWS = 32  # of the tokens laid out as a table, by the tops of whose columns the edge of top-k is narrowed
_SORTED = 3072  # tokens that are sorted without a thought: 0.06 ms
_SPOTS, _NEIGHBOURS = 128, 8  # by the tokens there an edge is guessed
_SLACK = 1.25  # times the mass that a guess missed is looked through beside it
_FAR = 24  # sampled tokens: a guess that missed by more is made anew
_SPARE = 2  # sampled tokens, and those between them, looked through beyond that
FEW = 1024  # tokens for which a clever way costs more calls than it saves
BLOCK = 64  # tokens summed at a time
ONES = np.ones(BLOCK, np.float32)
_INFINITE = np.float32(np.inf)


def top_places(scores: Scores, count: int) -> npt.NDArray[np.intp]:
    """Where the `count` (1 to C - 1) highest of `scores` [C] are, and all that tie with the last of them; in order."""
    width = len(scores) // _ROWS
    if count >= width:
        return np.flatnonzero(scores >= _highest(scores, count))
    # That many columns have tops which reach the count-th highest top, so the edge is there or above.
    tops = scores[: _ROWS * width].reshape(_ROWS, width).max(0)
    columns = np.flatnonzero(tops >= _highest(tops, count))
    places: npt.NDArray[np.intp] = (np.arange(0, _ROWS * width, width)[:, None] + columns).ravel()
    if _ROWS * width < len(scores):
        places = np.append(places, np.arange(_ROWS * width, len(scores)))
    few = scores[places]
    return places[few >= _highest(few, count)]


def mass_edge(keys: Scores, weights: Scores, wanted: float, total: float, *, rising: bool = False) -> np.float32:
    """The largest of `keys` [C] down to which `weights` [C] reach `wanted`; else the smallest of all.

    `total` is the sum of the weights; `rising` where weights rise with keys, as they do with scores: then fewer need
    to be looked at. A sample guesses the edge. The exact mass down to the guess tells by how much it missed, and only
    the tokens there are looked through, and if need be those beyond, in the same way.
    """
    while len(keys) > _SORTED:
        guide = weights if rising else keys
        guess, likelier, mass, low, high = _guess(guide, weights, wanted, total)
        if wanted > mass:
            places, total = _places(weights, (guide >= low) ^ likelier)
            wanted -= mass
            if wanted > total and low > -_INFINITE:
                wanted -= total
                places, total = _places(weights, guide < low)
        else:
            places, inside = _places(weights, (guide < high) & likelier)
            above = mass - inside if high < _INFINITE else 0.0
            if wanted > above:
                wanted, total = wanted - above, inside
            else:
                places, total = np.flatnonzero(guide >= high), above
            if len(places) == len(keys):  # so many tie with the guess: without them every round leaves fewer
                places, total = _places(weights, guide > guess)
                if wanted > total or not len(places):
                    places, wanted = np.flatnonzero(guide == guess), wanted - total
                    keys, weights = keys[places], weights[places]
                    return keys[0] if keys.min() == keys.max() else _sorted_edge(keys, weights, wanted)
        if not len(places):  # rounding: nothing is below
            return np.float32(keys.min())
        keys, weights = keys[places], weights[places]
    return _sorted_edge(keys, weights, wanted)


def _sorted_edge(keys: Scores, weights: Scores, wanted: float) -> np.float32:
    """The same as `mass_edge`, by a sort of all of `keys` [C]."""
    order = _order(keys)
    place = int(weights[order].astype(np.float64).cumsum().searchsorted(wanted))
    return np.float32(keys[order[min(place, len(keys) - 1)]])


def total_of(weights: Scores) -> float:
    """The sum of `weights` [C], of many by blocks."""
    if len(weights) <= FEW:
        return float(weights.sum())
    whole = len(weights) // BLOCK * BLOCK
    total = float((weights[:whole].reshape(-1, BLOCK) @ ONES).sum())
    return total if whole == len(weights) else total + float(weights[whole:].sum())


def product_of(one: Scores, other: Scores) -> float:
    """The sum of one · other, both [C], of many by blocks: a heavy token makes only its own block's sum less exact."""
    if len(one) <= FEW:
        return float(np.dot(one, other))
    width = len(one) // _SPOTS
    whole = width * _SPOTS
    sums = np.vecdot(one[:whole].reshape(_SPOTS, width), other[:whole].reshape(_SPOTS, width))
    total = float(sums.sum())
    return total if whole == len(one) else total + float(np.dot(one[whole:], other[whole:]))


def share_of(values: Scores, least: np.float32) -> float:
    """About which share of `values` [C], more than a few, is at least `least`."""
    some = _some(values)
    return np.count_nonzero(some >= least) / len(some)


def _highest(scores: Scores, count: int) -> np.float32:
    """The `count`-th highest of `scores` [C]."""
    return np.float32(np.partition(scores, len(scores) - count)[len(scores) - count])


def _guess(
    guide: Scores, weights: Scores, wanted: float, total: float
) -> tuple[np.float32, npt.NDArray[np.bool_], float, np.float32, np.float32]:
    """Of `guide` [C] one by which `weights` [C] about reach `wanted`; where the guide is not below it, and the exact
    mass there; then bounds below and above it between which the edge probably is, infinite beyond the sample.
    """
    few, running = _sampled(guide, weights)
    last = len(few) - 1
    # By what the sample says of the mass below: the heavy tokens, which it may lack, are above.
    place = min(int(running.searchsorted(wanted - total + running[-1])), last)
    guess, likelier, mass = few[place], *_down_to(guide, weights, few[place])
    other = min(int(running.searchsorted(running[place] + wanted - mass)), last)
    if abs(other - place) > _FAR:
        place = other
        guess, likelier, mass = few[place], *_down_to(guide, weights, few[place])
    aim = int(running.searchsorted(running[place] + _SLACK * (wanted - mass)))
    low = few[aim + _SPARE] if aim + _SPARE <= last else -_INFINITE
    high = few[aim - _SPARE] if aim >= _SPARE else _INFINITE
    return guess, likelier, mass, low, high


def _down_to(guide: Scores, weights: Scores, least: np.float32) -> tuple[npt.NDArray[np.bool_], float]:
    """Where `guide` [C] is at least `least`, and the sum of `weights` [C] there."""
    mask = guide >= least
    chosen = scratch("chosen", len(mask))
    chosen[:] = mask  # a product with booleans takes longer than both
    return mask, product_of(weights, chosen)


def _sampled(keys: Scores, weights: Scores) -> tuple[Scores, npt.NDArray[np.float64]]:
    """Some of `keys` [C], the largest first, and about how much mass there is down to each, but for a constant.

    They are taken from many places, a few neighbours at each: single ones would take a line of memory each.
    """
    few = some = _some(weights)
    if keys is weights:
        few.sort()
        few = some = few[::-1]
    else:
        few = _some(keys)
        order = _order(few)
        few, some = few[order], some[order]
    running: npt.NDArray[np.float64] = some.astype(np.float64).cumsum()
    running *= len(keys) / len(few)
    return few, running


def _some(values: Scores) -> Scores:
    width = len(values) // _SPOTS
    return values[: _SPOTS * width].reshape(_SPOTS, width)[:, :_NEIGHBOURS].flatten()


def _places(weights: Scores, mask: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.intp], float]:
    """Where `mask` [C] is True, and the sum of `weights` [C] there."""
    places = np.flatnonzero(mask)
    return places, float(weights[places].sum())


def _order(keys: Scores) -> npt.NDArray[np.int64]:
    """The places that sort `keys` [C], the largest first: argsort at the speed of sort, half its time.

    A float32 leaves 29 bits of a float64 free, and there the place goes.
    """
    packed = keys.astype(np.float64)
    bits = packed.view(np.int64)
    bits |= np.arange(len(keys))
    packed.sort()
    bits &= 2**29 - 1
    return bits[::-1]
