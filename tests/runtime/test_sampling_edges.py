"""Edges and the draw on vocabularies too large to be sorted, against their definitions in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.sampling import SamplingConfig, distribution, sample
from runtime.sampling.edges import mass_edge, top_places
from tests.runtime.test_sampling import FALCON_VOCABULARY, scores

Floats = npt.NDArray[np.float32]
Make = Callable[[int, np.random.Generator], npt.NDArray[np.float64]]


def peaked(size: int, chance: np.random.Generator) -> npt.NDArray[np.float64]:
    return chance.permutation(-1.6 * np.log(np.arange(1, size + 1)))


def flat(size: int, chance: np.random.Generator) -> npt.NDArray[np.float64]:
    return chance.permutation(-0.8 * np.log(np.arange(1, size + 1)))


def rounded(size: int, chance: np.random.Generator) -> npt.NDArray[np.float64]:
    return np.round(chance.normal(size=size) * 3) / 2


def two_values(size: int, chance: np.random.Generator) -> npt.NDArray[np.float64]:
    return np.where(chance.random(size) < 0.7, -1.0, 0.0)


def equal(size: int, chance: np.random.Generator) -> npt.NDArray[np.float64]:
    return np.full(size, chance.normal())


def few_heavy(size: int, chance: np.random.Generator) -> npt.NDArray[np.float64]:
    values = chance.normal(size=size) * 0.05
    values[chance.integers(size, size=5)] = chance.uniform(5, 12, 5)
    return values


def nearly_equal(size: int, chance: np.random.Generator) -> npt.NDArray[np.float64]:
    return chance.normal(size=size) * 1e-7  # thousands of scores for each weight in float32


MAKES: list[Make] = [peaked, flat, rounded, two_values, equal, few_heavy, nearly_equal]


def assert_edge(keys: Floats, weights: Floats, wanted: float, edge: np.float32) -> None:
    """All above the edge hold less than is wanted, all down to it enough, but for the rounding of float32 sums."""
    exact = weights.astype(np.float64)
    off = 1e-6 * exact.sum()
    assert edge in keys
    assert exact[keys > edge].sum() < wanted + off
    assert exact[keys >= edge].sum() > wanted - off or edge == keys.min()


@settings(max_examples=120, deadline=None)
@given(
    make=st.sampled_from(MAKES),
    size=st.sampled_from([1, 50, 3073, 20_000, FALCON_VOCABULARY]),
    share=st.floats(1e-6, 1) | st.sampled_from([0.05, 0.5, 0.95, 0.999]),
    seed=st.integers(0, 2**32),
)
def test_an_edge_is_where_the_mass_is_reached(make: Make, size: int, share: float, seed: int) -> None:
    chance = np.random.default_rng(seed)
    keys = make(size, chance).astype(np.float32)
    rising = np.exp(keys - keys.max())
    total = float(rising.sum())
    assert_edge(keys, rising, share * total, mass_edge(keys, rising, share * total, total, rising=True))
    assert_edge(keys, rising, share * total, mass_edge(keys, rising, share * total, total))
    others = chance.exponential(size=size).astype(np.float32) ** 8  # a few hold nearly all, wherever they are
    total = float(others.sum())
    assert_edge(keys, others, share * total, mass_edge(keys, others, share * total, total))


def test_an_edge_of_more_than_there_is_is_the_last() -> None:
    keys = scores(FALCON_VOCABULARY, 2.0)
    weights = np.exp(keys - keys.max())
    for rising in (False, True):
        assert mass_edge(keys, weights, 1e9, float(weights.sum()), rising=rising) == keys.min()


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("size", [2, 63, 64, 65, 3001, FALCON_VOCABULARY])
def test_the_top_is_what_a_sort_puts_first_with_all_that_tie(make: Make, size: int) -> None:
    values = make(size, np.random.default_rng(size)).astype(np.float32)
    for count in {1, 2, 20, 100, 2000, size - 1}:
        if count < size:
            edge = np.sort(values)[-count]
            np.testing.assert_array_equal(top_places(values, count), np.flatnonzero(values >= edge))


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize(
    "config",
    [
        SamplingConfig(temperature=1, top_p=1),
        SamplingConfig(),
        SamplingConfig(typical_p=0.9),
        SamplingConfig(top_p=0.9, min_p=1e-3, order="llama.cpp"),
    ],
)
def test_the_token_drawn_is_where_the_running_sum_in_order_of_ids_passes_the_chance(
    make: Make, config: SamplingConfig
) -> None:
    logits = make(FALCON_VOCABULARY, np.random.default_rng(1)).astype(np.float32)
    chances = distribution(logits, [], config)
    sums = np.cumsum(chances)
    drawing, same = np.random.default_rng(2), np.random.default_rng(2)
    for _ in range(30):
        token = sample(logits, [], config, drawing)
        assert chances[token] > 0
        chance = same.random()  # one number a token
        assert sums[token] - chances[token] - 1e-6 <= chance <= sums[token] + 1e-6
