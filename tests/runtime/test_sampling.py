"""Sampling: the same distribution as transformers' own processors, by the same order of steps."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from runtime.errors import ModelOutputError, OptionError, UserFacingError
from runtime.sampling import SamplingConfig, distribution, sample

FALCON_VOCABULARY = 65024


def scores(size: int, spread: float, seed: int = 0) -> npt.NDArray[np.float32]:
    return (np.random.default_rng(seed).normal(size=size) * spread).astype(np.float32)


def by_transformers(logits: npt.NDArray[np.float32], history: list[int], config: SamplingConfig) -> npt.NDArray[Any]:
    steps = LogitsProcessorList()
    if config.repetition_penalty != 1:
        steps.append(RepetitionPenaltyLogitsProcessor(config.repetition_penalty))
        history = history[-config.repetition_window :] if config.repetition_window else history
    steps.append(TemperatureLogitsWarper(config.temperature))
    if config.top_k:
        steps.append(TopKLogitsWarper(config.top_k))
    if config.top_p < 1:
        steps.append(TopPLogitsWarper(config.top_p))
    if config.min_p:
        steps.append(MinPLogitsWarper(config.min_p))
    changed = steps(torch.tensor([history]), torch.tensor(logits, dtype=torch.float64)[None])
    return torch.softmax(changed, -1)[0].numpy()


def assert_same(ours: npt.NDArray[Any], theirs: npt.NDArray[Any]) -> None:
    """Equal but for rounding, by which one token on the very edge of top-p may fall either way."""
    tiny = 1e-12  # float32 has no smaller chances to offer beside 1
    both = (ours > tiny) & (theirs > tiny)
    assert np.count_nonzero((ours > tiny) != (theirs > tiny)) <= 1
    np.testing.assert_allclose(ours[both] / ours[both].sum(), theirs[both] / theirs[both].sum(), rtol=1e-4)


@pytest.mark.parametrize("spread", [0.1, 1.0, 4.0])
@pytest.mark.parametrize("size", [7, 1000, 20_000])
def test_every_combination_of_filters_gives_transformers_distribution(size: int, spread: float) -> None:
    logits = scores(size, spread)
    history = np.random.default_rng(1).integers(size, size=100).tolist()
    for temperature, top_k, top_p, min_p, penalty in product(
        (0.3, 1.0, 1.7), (0, 5, 1500), (1.0, 0.9, 0.31), (0.0, 0.02, 0.6), (1.0, 1.3, 0.8)
    ):
        config = SamplingConfig(
            temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, repetition_penalty=penalty
        )
        assert_same(distribution(logits, history, config), by_transformers(logits, history, config))


def test_the_filters_agree_with_transformers_on_falcons_vocabulary() -> None:
    for spread, top_p in product((0.2, 3.0), (0.95, 0.5)):
        logits = scores(FALCON_VOCABULARY, spread)
        config = SamplingConfig(temperature=0.9, top_p=top_p, top_k=0)
        assert_same(distribution(logits, [0], config), by_transformers(logits, [0], config))


def test_the_whole_history_is_penalised_where_the_window_is_0() -> None:
    logits, history = scores(50, 2.0), list(range(40))
    for window in (0, 1, 7, 64):
        config = SamplingConfig(repetition_penalty=1.5, repetition_window=window, top_p=1.0)
        np.testing.assert_allclose(
            distribution(logits, history, config), by_transformers(logits, history, config), atol=1e-6
        )


def test_a_tie_on_the_edge_is_kept_whole() -> None:
    logits = np.array([2, 1, 1, 1, 0], np.float32)
    assert np.flatnonzero(distribution(logits, [], SamplingConfig(top_k=2, top_p=1))).tolist() == [0, 1, 2, 3]
    assert np.flatnonzero(distribution(logits, [], SamplingConfig(temperature=1, top_p=0.6))).tolist() == [0, 1, 2, 3]


def test_equal_scores_give_equal_chances() -> None:
    chances = distribution(np.zeros(FALCON_VOCABULARY, np.float32), [], SamplingConfig(top_p=0.5))
    np.testing.assert_allclose(chances, 1 / FALCON_VOCABULARY)


def test_greedy_takes_the_likeliest_and_penalises_first() -> None:
    logits = np.array([1.0, 3.0, 2.9], np.float32)
    assert sample(logits, [], SamplingConfig(temperature=0), np.random.default_rng()) == 1
    penalised = SamplingConfig(temperature=0, repetition_penalty=1.1)
    assert sample(logits, [1], penalised, np.random.default_rng()) == 2


def test_nearly_zero_temperature_is_greedy() -> None:
    logits = scores(100, 1.0)
    assert sample(logits, [], SamplingConfig(temperature=1e-30), np.random.default_rng(0)) == int(np.argmax(logits))


def test_tokens_come_as_often_as_their_probability_says() -> None:
    logits, config = scores(300, 1.0), SamplingConfig(temperature=1.0, top_p=0.8, seed=3)
    expected = distribution(logits, [], config)
    chance = config.generator()
    seen = np.bincount([sample(logits, [], config, chance) for _ in range(20_000)], minlength=300) / 20_000
    assert not seen[expected == 0].any()
    assert np.abs(seen - expected).sum() / 2 < 0.04  # total variation; 20,000 draws of 150 tokens have about 0.03


def test_the_seed_decides_and_no_seed_differs() -> None:
    logits, history = scores(1000, 1.0), list(range(5))

    def draw(seed: int | None) -> list[int]:
        config = SamplingConfig(seed=seed, temperature=1.5)
        chance = config.generator()
        return [sample(logits, history, config, chance) for _ in range(12)]

    assert draw(7) == draw(7)
    assert draw(7) != draw(8)
    assert draw(None) != draw(None)


def test_the_stream_of_a_seed_does_not_change_between_releases() -> None:
    config = SamplingConfig(seed=42, temperature=1.0, top_p=1.0)
    chance = config.generator()
    drawn = [sample(np.zeros(1000, np.float32), [], config, chance) for _ in range(5)]
    assert drawn == [int(1000 * u) for u in np.random.Generator(np.random.PCG64(42)).random(5)]


def test_the_scores_are_left_as_they_are() -> None:
    logits = scores(500, 1.0)
    before = logits.copy()
    sample(logits, [1, 2], SamplingConfig(top_k=5, repetition_penalty=2.0, seed=0), np.random.default_rng(0))
    np.testing.assert_array_equal(logits, before)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("temperature", [0, 1])
def test_scores_that_are_not_finite_are_the_models_fault_and_said_so(bad: float, temperature: float) -> None:
    logits = scores(100, 1.0)
    logits[3] = bad
    with pytest.raises(ModelOutputError, match="not finite"):
        sample(logits, [], SamplingConfig(temperature=temperature), np.random.default_rng(0))


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": -1},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"temperature": "hot"},
        {"temperature": True},
        {"top_p": 0},
        {"top_p": 1.01},
        {"top_k": -1},
        {"top_k": 1.5},
        {"min_p": 2},
        {"repetition_penalty": 0},
        {"repetition_penalty": 1e30},
        {"repetition_window": -5},
        {"seed": -1},
        {"seed": "x"},
    ],
)
def test_an_absurd_value_is_refused_by_name(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(iter(options))) as caught:
        SamplingConfig(**options)
    assert isinstance(caught.value, UserFacingError)


@settings(max_examples=150, deadline=None)
@given(
    values=st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=40),
    temperature=st.floats(0, 100),
    top_k=st.integers(0, 50),
    top_p=st.floats(1e-9, 1),
    min_p=st.floats(0, 1),
    penalty=st.floats(0.1, 10),
    seed=st.integers(0, 2**64),
)
def test_whatever_the_options_a_token_with_a_chance_is_chosen(
    values: list[float], temperature: float, top_k: int, top_p: float, min_p: float, penalty: float, seed: int
) -> None:
    config = SamplingConfig(
        temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, repetition_penalty=penalty, seed=seed
    )
    logits = np.array(values, np.float32)
    token = sample(logits, [0, 10**9], config, config.generator())
    chances = distribution(logits, [0, 10**9], config)
    assert chances[token] > 0
    assert chances.sum() == pytest.approx(1)
