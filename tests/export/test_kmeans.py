"""Against two independent optima: a dynamic program that tries every split, and coremltools' exact k-means."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from export.kmeans import Clustering, cluster


def brute_force_cost(values: NDArray, weights: NDArray, k: int) -> float:
    """The least cost of at most `k` runs, trying every last run of every prefix."""
    count = len(values)
    run = np.full((count + 1, count + 1), np.inf)
    for j in range(count):
        for i in range(j + 1, count + 1):
            mean = np.average(values[j:i], weights=weights[j:i])
            run[j, i] = weights[j:i] @ (values[j:i] - mean) ** 2
    best = np.full(count + 1, np.inf)
    best[0] = 0.0
    for _ in range(min(k, count)):
        best = np.append(0.0, [(best[:i] + run[:i, i]).min() for i in range(1, count + 1)])
    return float(best[count])


def cost_of(clustering: Clustering, values: NDArray, weights: NDArray) -> float:
    runs = np.repeat(clustering.centroids, np.diff(clustering.bounds))
    return float(weights @ (values - runs) ** 2)


def assert_optimal(values: NDArray, weights: NDArray, k: int) -> None:
    result = cluster(values, weights, k)
    assert result.bounds[0] == 0
    assert result.bounds[-1] == len(values)
    assert (np.diff(result.bounds) > 0).all()
    assert len(result.centroids) == min(k, len(values))
    slack = 1e-13 * float(weights @ values**2)
    assert result.cost == pytest.approx(cost_of(result, values, weights), rel=1e-9, abs=slack)
    assert result.cost <= brute_force_cost(values, weights, k) * (1 + 1e-9) + slack


@settings(max_examples=60, deadline=None)
@given(data=st.data(), k=st.integers(1, 20), count=st.integers(1, 24))
def test_the_cost_is_that_of_the_brute_force_optimum(data: st.DataObject, k: int, count: int) -> None:
    numbers = st.floats(-100, 100, width=16)
    values = np.sort(np.array(data.draw(st.lists(numbers, min_size=count, max_size=count))))
    weights = np.array(data.draw(st.lists(st.floats(0.01, 100), min_size=count, max_size=count)))
    assert_optimal(values, weights, k)


@pytest.mark.parametrize("k", range(1, 31))
def test_equally_spaced_values_where_every_price_is_a_tie_are_clustered_optimally(k: int) -> None:
    assert_optimal(np.arange(-10.0, 20.0), np.ones(30), k)


@pytest.mark.parametrize("k", [2, 3, 5, 8, 13])
def test_repeated_copies_of_one_pattern_are_clustered_optimally(k: int) -> None:
    values = np.add.outer(np.arange(6.0) * 100, [0.0, 1.0, 5.0, 6.0]).ravel()
    assert_optimal(values, np.ones(24), k)


@pytest.mark.parametrize("k", [2, 3, 7])
def test_a_huge_outlier_costs_no_precision_among_the_small_values(k: int) -> None:
    small = np.sort(np.random.default_rng(0).standard_normal(24)) * 1e-3
    with_outliers = np.concatenate([[-65504.0], small, [65504.0]])
    inner = cluster(with_outliers, np.ones(26), k + 2)
    assert inner.cost == pytest.approx(brute_force_cost(small, np.ones(24), k), rel=1e-9)


@pytest.mark.parametrize(("k", "count", "seed"), [(16, 900, 0), (64, 900, 1), (256, 900, 2), (16, 4000, 3)])
def test_the_cost_is_that_of_coremltools_exact_k_means(k: int, count: int, seed: int) -> None:
    kmeans1d = pytest.importorskip("coremltools._deps")._kmeans1d
    random = np.random.default_rng(seed)
    values = np.unique(random.standard_t(4, count).astype(np.float16).astype(np.float64))
    weights = random.integers(1, 50, len(values)).astype(np.float64)
    theirs = kmeans1d.cluster(values, k, weights=weights)
    their_cost = weights @ (values - np.array(theirs.centroids)[np.array(theirs.clusters)]) ** 2
    assert cluster(values, weights, k).cost == pytest.approx(float(their_cost), rel=1e-9)


def test_as_many_clusters_as_values_cost_nothing() -> None:
    values = np.array([-2.0, 0.5, 3.0])
    result = cluster(values, np.ones(3), 16)
    assert result.cost == 0.0
    np.testing.assert_array_equal(result.centroids, values)


def test_scaling_the_values_and_weights_moves_no_bound() -> None:
    random = np.random.default_rng(4)
    values, weights = np.sort(random.standard_normal(500)), random.random(500) + 0.1
    np.testing.assert_array_equal(
        cluster(values, weights, 16).bounds, cluster(values * 2.0**-20, weights * 2.0**10, 16).bounds
    )


def test_more_clusters_never_cost_more() -> None:
    random = np.random.default_rng(5)
    values, weights = np.sort(random.standard_normal(300)), random.random(300) + 0.1
    costs = [cluster(values, weights, k).cost for k in range(1, 301)]
    assert (np.diff(costs) <= 0).all()


@pytest.mark.parametrize(
    ("values", "weights", "k"),
    [
        ([], [], 4),
        ([1.0, 0.0], [1.0, 1.0], 4),
        ([0.0, np.nan], [1.0, 1.0], 4),
        ([0.0, 1.0], [1.0, 0.0], 4),
        ([0.0, 1.0], [1.0], 4),
        ([0.0, 1.0], [1.0, 1.0], 0),
    ],
)
def test_unusable_input_is_refused(values: list[float], weights: list[float], k: int) -> None:
    with pytest.raises(ValueError, match="k-means needs"):
        cluster(np.array(values), np.array(weights), k)
