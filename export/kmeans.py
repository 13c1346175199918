"""Optimal one-dimensional k-means. U distinct values, k clusters.

In one dimension the clusters of an optimum are runs of the sorted values, so a clustering is a path from 0 to U whose
link (j, i) puts the values j..i-1 into one cluster, and the task is the cheapest path of k links. The price of a run,
its weighted squared deviation from its mean, has the concave Monge property. From this follows (Aggarwal, Schieber,
Tokuyama 1994, "Finding a minimum-weight k-link path in graphs with the concave Monge property"):

- the cheapest price is convex in the number of links, so charging `toll` for each link and taking the cheapest path of
  any length gives the optimum for whatever number of links comes out, and a lower toll never gives fewer;
- one such path costs O(U log U) at worst, near O(U) here, whatever k is (`_path`);
- when the wanted k falls on a straight piece of that convex curve, no toll singles it out, and an optimum with k links
  is spliced from a shorter and a longer optimum at the same toll (`_splice`).

The result is the optimum up to the rounding of float64, as a dynamic program over k layers would find it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.jit import compiled

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Clustering:
    """Runs of sorted values: cluster c holds the values `bounds[c]` to `bounds[c + 1] - 1`; there are m = min(k, U)."""

    bounds: Integers  # [m + 1]
    centroids: Floats  # [m], the weighted mean of each run, ascending
    cost: float  # sum of weight * (value - centroid)²


def cluster(values: Floats, weights: Floats, k: int) -> Clustering:
    """The cheapest clustering of `values` [U], ascending, with `weights` [U], positive, into at most `k` clusters.

    Raises ValueError for an empty input, values out of order or not finite, and weights that are not positive.
    """
    values = np.ascontiguousarray(values, np.float64)
    weights = np.ascontiguousarray(weights, np.float64)
    if k < 1 or values.ndim != 1 or values.shape != weights.shape or not len(values):
        raise ValueError(
            f"k-means needs k >= 1 and as many weights as values, not {k=}, {values.shape}, {weights.shape}"
        )
    if not (np.isfinite(values).all() and (values[1:] >= values[:-1]).all()):
        raise ValueError("k-means needs finite values in ascending order")
    if not (np.isfinite(weights).all() and (weights > 0).all()):
        raise ValueError("k-means needs finite weights above zero")
    sums = _prefix_sums(values, weights)
    bounds = _search(values, weights, sums, min(k, len(values)))
    centroids, cost = _centroids(values, weights, sums, bounds)
    return Clustering(bounds=bounds, centroids=centroids, cost=cost)


@compiled
def _prefix_sums(values: Floats, weights: Floats) -> Floats:
    """Sums [U + 1, 3] of weight, weight * value and weight * value², whose differences are the sums over a run.

    They start at the value nearest to zero and grow outwards, so that a few huge values at the ends cost no digits in
    the middle, where the many are.
    """
    count = len(values)
    sums = np.zeros((count + 1, 3))
    origin = np.searchsorted(values, 0.0)
    for i in range(origin, count):
        sums[i + 1, 0] = sums[i, 0] + weights[i]
        sums[i + 1, 1] = sums[i, 1] + weights[i] * values[i]
        sums[i + 1, 2] = sums[i, 2] + weights[i] * values[i] * values[i]
    for i in range(origin - 1, -1, -1):
        sums[i, 0] = sums[i + 1, 0] - weights[i]
        sums[i, 1] = sums[i + 1, 1] - weights[i] * values[i]
        sums[i, 2] = sums[i + 1, 2] - weights[i] * values[i] * values[i]
    return sums


@compiled
def _through(sums: Floats, heads: Floats, j: int, i: int) -> float:
    """The price of reaching i over the link (j, i), less what all j have in common."""
    mass = sums[i, 0] - sums[j, 0]
    moment = sums[i, 1] - sums[j, 1]
    return float(heads[j] - moment * moment / mass)


@compiled
def _crossing(sums: Floats, heads: Floats, rival: int, start: int, i: int) -> int:
    """The first position that i reaches better than `rival`, which is better at `start`; U + 1 if there is none.

    Looked for in growing steps, because it is mostly near, and then by halving.
    """
    count = len(sums) - 1
    worse, better, step = start, start + 1, 1
    while better <= count and _through(sums, heads, i, better) > _through(sums, heads, rival, better):
        worse = better
        step *= 2
        better = worse + step
    better = min(better, count + 1)
    while better - worse > 1:
        middle = (worse + better) // 2
        if _through(sums, heads, i, middle) > _through(sums, heads, rival, middle):
            worse = middle
        else:
            better = middle
    return better


@compiled
def _path(sums: Floats, toll: float) -> Integers:
    """The bounds [m + 1] of the cheapest path when every link costs `toll` besides.

    Position i is reached best from some j, and that j never falls as i grows. `candidate[head:tail]` are the j that are
    still the best for some i to come, each from its `start` to the next one's.
    """
    count = len(sums) - 1
    heads = np.empty(count + 1)  # price of reaching j, less the sum of squares up to j
    previous = np.zeros(count + 1, np.int64)
    candidate = np.empty(count + 1, np.int64)
    start = np.empty(count + 1, np.int64)
    heads[0] = -sums[0, 2]
    candidate[0], start[0] = 0, 1
    head, tail = 0, 1
    for i in range(1, count + 1):
        if head + 1 < tail and start[head + 1] <= i:
            head += 1
        previous[i] = candidate[head]
        heads[i] = _through(sums, heads, candidate[head], i) + toll
        if i == count:
            break
        start[head] = max(start[head], i + 1)
        while tail > head:
            last, since = candidate[tail - 1], start[tail - 1]
            if _through(sums, heads, i, since) > _through(sums, heads, last, since):
                break
            tail -= 1
        takes_over = i + 1 if tail == head else _crossing(sums, heads, candidate[tail - 1], start[tail - 1], i)
        if takes_over <= count:
            candidate[tail], start[tail] = i, takes_over
            tail += 1
    return _walk_back(previous)


@compiled
def _walk_back(previous: Integers) -> Integers:
    """The path [m + 1] to the last position, from the `previous` position [U + 1] of each."""
    links = 0
    i = len(previous) - 1
    while i > 0:
        i = previous[i]
        links += 1
    bounds = np.zeros(links + 1, np.int64)
    i = len(previous) - 1
    for link in range(links, 0, -1):
        bounds[link] = i
        i = previous[i]
    return bounds


@compiled
def _splice(shorter: Integers, longer: Integers, k: int) -> Integers:
    """A path of `k` links from two cheapest paths at one toll, one with fewer links than k and one with more.

    Where a link of the shorter path covers the link of the longer one that is `len(longer) - 1 - k` further on, going
    over from the one to the other costs nothing, by the Monge property.
    """
    ahead = len(longer) - 1 - k
    link = 0
    while longer[link + ahead + 1] > shorter[link + 1]:
        link += 1
    bounds = np.empty(k + 1, np.int64)
    bounds[: link + 1] = shorter[: link + 1]
    bounds[link + 1 :] = longer[link + ahead + 1 :]
    return bounds


@compiled
def _first_toll(values: Floats, sums: Floats, k: int) -> float:
    """About the toll that gives k links: the slope of Panter and Dite's price of k cells, (∫ density^⅓)³ / 12k²."""
    count = len(values)
    block = max(1, count // (4 * k))
    total = 0.0
    for i in range(0, count - block, block):
        mass = sums[i + block, 0] - sums[i, 0]
        width = values[i + block] - values[i]
        total += (mass * width * width) ** (1 / 3)
    return float(total**3 / (6.0 * k**3))


@compiled
def _centroids(values: Floats, weights: Floats, sums: Floats, bounds: Integers) -> tuple[Floats, float]:
    """The mean of each run, and what all runs cost. A second pass over the values keeps the digits of a tiny cost."""
    clusters = len(bounds) - 1
    centroids = np.empty(clusters)
    cost = 0.0
    for c in range(clusters):
        first, end = bounds[c], bounds[c + 1]
        mean = (sums[end, 1] - sums[first, 1]) / (sums[end, 0] - sums[first, 0])
        mean = min(max(mean, values[first]), values[end - 1])
        for i in range(first, end):
            cost += weights[i] * (values[i] - mean) ** 2
        centroids[c] = mean
    return centroids, cost


@compiled
def _search(values: Floats, weights: Floats, sums: Floats, k: int) -> Integers:
    """The bounds [k + 1] of the cheapest path of exactly `k` links, 1 <= k <= U.

    First a few tolls are guessed from the law price ~ 1/k², by which links ~ toll^-⅓, aiming a little beyond k until
    one path is too short and one too long. From then on the toll is the slope between these two: it finds an optimum
    strictly between them or shows that there is none, so the search ends.
    """
    count = len(values)
    shorter = np.array([0, count])
    longer = np.arange(count + 1)
    if k == 1:
        return shorter
    if k == count:
        return longer
    toll = _first_toll(values, sums, k)
    guesses = 8
    while True:
        guessed = guesses > 0
        guesses -= 1
        if not guessed:
            saved = _centroids(values, weights, sums, shorter)[1] - _centroids(values, weights, sums, longer)[1]
            toll = saved / (len(longer) - len(shorter))
        bounds = _path(sums, toll)
        links = len(bounds) - 1
        if links == k:
            return bounds
        if len(shorter) <= links < k:
            shorter = bounds
        elif k < links < len(longer) - 1:
            longer = bounds
        elif not guessed:
            return _splice(shorter, longer, k)
        if len(shorter) > 2 and len(longer) <= count:
            guesses = 0
        aim = k + 0.25 * (k - links) + (0.5 if links < k else -0.5)
        toll *= (links / max(aim, 1.0)) ** 3
