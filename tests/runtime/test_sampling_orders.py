"""The two named orders, typical sampling, bias and penalties, against independent computations."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from transformers import GenerationConfig as TheirConfig
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    SequenceBiasLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)
from transformers.generation.utils import GenerationMixin

from runtime.sampling import SamplingConfig, distribution, sample
from tests.runtime.test_sampling import FALCON_VOCABULARY, assert_same, scores

Floats = npt.NDArray[np.float64]


def warpers(config: SamplingConfig) -> dict[str, Any]:
    found: dict[str, Any] = {"temperature": TemperatureLogitsWarper(config.temperature)}
    if config.top_k:
        found["top_k"] = TopKLogitsWarper(config.top_k)
    if config.top_p < 1:
        found["top_p"] = TopPLogitsWarper(config.top_p)
    if config.min_p:
        found["min_p"] = MinPLogitsWarper(config.min_p)
    if config.typical_p < 1:
        found["typical_p"] = TypicalLogitsWarper(config.typical_p)
    return found


ORDERS = {
    "transformers": ("temperature", "top_k", "top_p", "min_p", "typical_p"),
    "llama.cpp": ("top_k", "typical_p", "top_p", "min_p", "temperature"),
}


def by_transformers(logits: npt.NDArray[np.float32], config: SamplingConfig, history: list[int]) -> Floats:
    """transformers' own processors in float64, chained as the order says."""
    found = warpers(config)
    chain = LogitsProcessorList([found[name] for name in ORDERS[config.order] if name in found])
    if config.repetition_penalty != 1:
        chain.insert(0, RepetitionPenaltyLogitsProcessor(config.repetition_penalty))
    if config.logit_bias:
        chain.insert(0, SequenceBiasLogitsProcessor([[[token], bias] for token, bias in config.logit_bias.items()]))
    changed = chain(torch.tensor([history]), torch.tensor(logits, dtype=torch.float64)[None])
    chances: Floats = torch.softmax(changed, -1)[0].numpy()
    return chances


def by_definition(logits: npt.NDArray[np.float32], config: SamplingConfig) -> Floats:
    """llama.cpp's chain written out in float64: each step sorts, cuts, and hands on what it left."""
    left = sorted(((float(score), token) for token, score in enumerate(logits)), reverse=True)

    def chances(tokens: list[tuple[float, int]]) -> Floats:
        weights = np.exp(np.array([score for score, _ in tokens]) - max(score for score, _ in tokens))
        return np.asarray(weights / weights.sum())

    if config.top_k:
        left = left[: config.top_k]
    if config.typical_p < 1:
        surprise = -np.log(chances(left))
        entropy = float(np.dot(np.exp(-surprise), surprise))
        nearest = np.argsort(np.abs(surprise - entropy), kind="stable")
        count = int(np.searchsorted(np.cumsum(np.exp(-surprise)[nearest]), config.typical_p)) + 1
        left = sorted((left[place] for place in nearest[:count]), reverse=True)
    if config.top_p < 1:
        left = left[: int(np.searchsorted(np.cumsum(chances(left)), config.top_p)) + 1]
    if config.min_p:
        likely = chances(left)
        left = [entry for entry, chance in zip(left, likely, strict=True) if chance >= config.min_p * likely[0]]
    final = np.zeros(len(logits))
    final[[token for _, token in left]] = chances([(score / config.temperature, token) for score, token in left])
    return final


def test_transformers_order_is_the_order_that_its_generate_builds() -> None:
    asked = TheirConfig(do_sample=True, temperature=0.5, top_k=9, top_p=0.9, min_p=0.1, typical_p=0.8)
    asked.repetition_penalty, asked.sequence_bias = 1.2, [[[3], 1.0]]
    built = GenerationMixin._get_logits_processor(_Decoder(), asked, input_ids_seq_length=1)
    names = [type(step).__name__ for step in built]
    assert names == [
        "SequenceBiasLogitsProcessor",
        "RepetitionPenaltyLogitsProcessor",
        *[
            type(warpers(SamplingConfig(top_k=9, min_p=0.1, typical_p=0.8))[name]).__name__
            for name in ORDERS["transformers"]
        ],
    ]


class _Decoder:
    """As much of a model as transformers asks for when it chains its processors."""

    class config:  # noqa: N801
        is_encoder_decoder = False

    _merge_criteria_processor_list = GenerationMixin._merge_criteria_processor_list


@pytest.mark.parametrize("order", ["transformers", "llama.cpp"])
@pytest.mark.parametrize(("size", "spread"), [(7, 1.0), (1000, 0.3), (1000, 3.0)])
def test_every_combination_gives_the_distribution_of_transformers_processors_in_that_order(
    order: Any, size: int, spread: float
) -> None:
    logits = scores(size, spread, seed=size)
    for temperature, top_k, top_p, min_p, typical_p in product(
        (0.4, 1.6), (0, 5, 1500), (1.0, 0.7), (0.0, 0.05), (1.0, 0.9, 0.2)
    ):
        config = SamplingConfig(
            temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, typical_p=typical_p, order=order
        )
        assert_same(distribution(logits, [], config), by_transformers(logits, config, [0]))


@pytest.mark.parametrize("spread", [0.2, 1.0, 4.0])
def test_llama_cpps_order_is_its_chain_written_out(spread: float) -> None:
    for seed, (temperature, top_k, typical_p) in enumerate(product((0.3, 1.0, 2.0), (0, 40), (1.0, 0.8))):
        logits = scores(3000, spread, seed)
        config = SamplingConfig(
            temperature=temperature, top_k=top_k, typical_p=typical_p, top_p=0.9, min_p=0.02, order="llama.cpp"
        )
        assert_same(distribution(logits, [], config), by_definition(logits, config))


def test_the_orders_differ_where_temperature_changes_what_a_filter_sees() -> None:
    logits = np.log(np.array([0.5, 0.3, 0.2], np.float32))
    first = SamplingConfig(temperature=5.0, top_p=0.75, order="transformers")
    last = SamplingConfig(temperature=5.0, top_p=0.75, order="llama.cpp")
    assert np.count_nonzero(distribution(logits, [], first)) == 3
    assert np.count_nonzero(distribution(logits, [], last)) == 2


@pytest.mark.parametrize("order", ["transformers", "llama.cpp"])
def test_typical_may_drop_the_likeliest_token(order: Any) -> None:
    logits = np.log(np.array([0.4, *[0.06] * 10], np.float32))
    config = SamplingConfig(temperature=1.0, top_p=1.0, typical_p=0.5, order=order)
    np.testing.assert_allclose(distribution(logits, [], config), [0, *[0.1] * 10], atol=1e-6)


def test_low_temperature_after_typical_dropped_the_likeliest_leaves_chances() -> None:
    logits = np.log(np.array([0.4, 0.061, *[0.06] * 9], np.float32))
    config = SamplingConfig(temperature=1e-3, top_p=1.0, typical_p=0.5, order="llama.cpp")
    chances = distribution(logits, [], config)
    assert chances[0] == 0
    assert int(np.argmax(chances)) == 1
    assert chances.sum() == pytest.approx(1)


@pytest.mark.parametrize("order", ["transformers", "llama.cpp"])
@pytest.mark.parametrize("spread", [0.1, 2.0, 6.0])
def test_the_filters_agree_on_falcons_vocabulary_alone_and_together(order: Any, spread: float) -> None:
    logits = scores(FALCON_VOCABULARY, spread)
    for typical_p, top_p, min_p in ((0.9, 1.0, 0.0), (0.3, 1.0, 0.0), (0.95, 0.9, 1e-4)):
        config = SamplingConfig(temperature=0.8, typical_p=typical_p, top_p=top_p, min_p=min_p, order=order)
        assert_same(distribution(logits, [], config), by_transformers(logits, config, [0]))


def test_a_few_heavy_tokens_hidden_among_many_light_ones_are_found() -> None:
    logits = scores(FALCON_VOCABULARY, 0.05)
    logits[[11, 30_000, 65_000]] = 10.5, 10.0, 9.0
    for order, share in product(("transformers", "llama.cpp"), (0.05, 0.3, 0.5, 0.6, 0.9)):
        for name in ("top_p", "typical_p"):
            options: dict[str, Any] = {"temperature": 1.0, "top_p": 1.0, "order": order, name: share}
            config = SamplingConfig(**options)
            assert_same(distribution(logits, [], config), by_transformers(logits, config, [0]))


@pytest.mark.parametrize("different", [0, 1, 40_000])
def test_ties_are_kept_whole_by_typical(different: int) -> None:
    logits = np.zeros(FALCON_VOCABULARY, np.float32)
    logits[:different] = -1.0
    config = SamplingConfig(temperature=1.0, top_p=1.0, typical_p=0.3)
    assert_same(distribution(logits, [], config), by_transformers(logits, config, [0]))


@pytest.mark.parametrize("order", ["transformers", "llama.cpp"])
def test_bias_comes_before_the_repetition_penalty_as_in_transformers(order: Any) -> None:
    logits, history = scores(400, 2.0), list(range(0, 400, 3))
    config = SamplingConfig(
        repetition_penalty=1.4, repetition_window=0, logit_bias={0: 3.5, 3: -2.0, 200: 1.25, 399: -100}, order=order
    )
    assert_same(distribution(logits, history, config), by_transformers(logits, config, history))


@pytest.mark.parametrize("order", ["transformers", "llama.cpp"])
def test_presence_and_frequency_count_generated_tokens_only(order: Any) -> None:
    logits = scores(60, 1.5)
    history = np.random.default_rng(5).integers(60, size=120).tolist()
    for presence, frequency, prompt in product((0.0, 0.7, -2.0), (0.0, 0.3, -1.1), (0, 80, 120)):
        config = SamplingConfig(
            presence_penalty=presence, frequency_penalty=frequency, top_p=1, temperature=1, order=order
        )
        wanted = logits.astype(np.float64)
        for token, count in Counter(history[prompt:]).items():
            wanted[token] -= count * frequency + presence
        chances = np.exp(wanted) / np.exp(wanted).sum()
        found = distribution(logits, history, config, prompt_length=prompt)
        np.testing.assert_allclose(found, chances, rtol=2e-5)
        arrays = distribution(logits, np.array(history), config, prompt_length=prompt)
        np.testing.assert_array_equal(found, arrays)


def test_the_repetition_penalty_comes_before_the_others() -> None:
    logits = np.array([1.0, 2.0, -1.0], np.float32)
    config = SamplingConfig(
        temperature=1, top_p=1, repetition_penalty=2.0, presence_penalty=0.5, frequency_penalty=0.25
    )
    wanted = np.exp([1.0, 2.0 / 2 - 2 * 0.25 - 0.5, -1.0 * 2])  # token 2 is the prompt's
    found = distribution(logits, [2, 1, 1], config, prompt_length=1)
    np.testing.assert_allclose(found, wanted / wanted.sum(), rtol=1e-6)


def test_temperature_0_takes_the_likeliest_in_both_orders_whatever_the_filters() -> None:
    logits = np.log(np.array([0.06] * 5 + [0.4] + [0.06] * 5, np.float32))
    for order in ("transformers", "llama.cpp"):
        options: dict[str, Any] = {"order": order, "typical_p": 0.1}
        assert sample(logits, [], SamplingConfig(temperature=0, **options), np.random.default_rng()) == 5


@pytest.mark.parametrize("order", ["transformers", "llama.cpp"])
def test_allowed_tokens_alone_make_the_distribution(order: Any) -> None:
    logits = scores(500, 2.0)
    allowed = np.random.default_rng(2).random(500) < 0.1
    config = SamplingConfig(
        top_k=20, top_p=0.9, typical_p=0.9, order=order, repetition_penalty=1.2, logit_bias={1: 5, 499: 2}
    )
    found = distribution(logits, [7, 8], config, allowed=allowed)
    masked = np.where(allowed, logits, -np.inf).astype(np.float32)
    assert_same(found, by_transformers(masked, config, [7, 8]))
    assert not found[~allowed].any()


def test_draws_follow_the_distribution_by_chi_square() -> None:
    logits, draws = scores(40, 1.0), 4_000
    for order in ("transformers", "llama.cpp"):
        options: dict[str, Any] = {"order": order, "typical_p": 0.9, "top_p": 0.95, "temperature": 0.9, "seed": 11}
        config = SamplingConfig(**options)
        expected = by_transformers(logits, config, [0]) * draws
        chance = config.generator()
        seen = np.bincount([sample(logits, [], config, chance) for _ in range(draws)], minlength=40)
        live = expected > 0
        assert not seen[~live].any()
        freedom = int(live.sum()) - 1
        statistic = float(((seen[live] - expected[live]) ** 2 / expected[live]).sum())
        assert statistic < freedom + 4 * np.sqrt(2 * freedom)  # four standard deviations; the seed is fixed
