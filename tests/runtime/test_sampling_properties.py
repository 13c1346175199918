"""Sampling under whatever options and scores there are, and absurd ones refused by name."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.errors import ModelOutputError, OptionError, UserFacingError
from runtime.sampling import LogitBias, SamplingConfig, distribution, sample
from tests.runtime.test_sampling import scores

SHARES = st.floats(1e-9, 1)
LARGEST = float(np.finfo(np.float32).max)


@st.composite
def configs(draw: st.DrawFn, size: int = 40) -> SamplingConfig:
    return SamplingConfig(
        temperature=draw(st.floats(0, 100)),
        top_k=draw(st.integers(0, 50)),
        top_p=draw(SHARES),
        min_p=draw(st.floats(0, 1)),
        typical_p=draw(SHARES),
        repetition_penalty=draw(st.floats(0.1, 10)),
        repetition_window=draw(st.integers(0, 100)),
        presence_penalty=draw(st.floats(-2, 2)),
        frequency_penalty=draw(st.floats(-2, 2)),
        logit_bias=draw(st.dictionaries(st.integers(0, size - 1), st.floats(-100, 100), max_size=5)),
        order=draw(st.sampled_from(["transformers", "llama.cpp"])),
        seed=draw(st.integers(0, 2**70)),
    )


def vectors(bound: float = 1e4) -> st.SearchStrategy[np.ndarray]:
    values = st.lists(st.floats(-bound, bound, width=32), min_size=40, max_size=40)
    return values.map(lambda found: np.array(found, np.float32))


HISTORIES = st.lists(st.integers(0, 60), max_size=30)  # ids from 40 only pad the vocabulary


@settings(max_examples=300, deadline=None)
@given(
    logits=vectors() | vectors(LARGEST) | vectors(3.0),
    config=configs(),
    history=HISTORIES,
    prompt=st.integers(0, 40),
    mask=st.none() | st.lists(st.booleans(), min_size=40, max_size=40),
)
@pytest.mark.filterwarnings("error")
def test_the_choice_has_a_chance_and_chances_sum_to_1(
    logits: np.ndarray, config: SamplingConfig, history: list[int], prompt: int, mask: list[bool] | None
) -> None:
    allowed = None if mask is None else np.array(mask)
    given_: dict[str, Any] = {"prompt_length": prompt, "allowed": allowed}
    before = logits.copy()
    if allowed is not None and not allowed.any():
        with pytest.raises(ModelOutputError, match="No token is allowed"):
            sample(logits, history, config, config.generator(), **given_)
        return
    chances = distribution(logits, history, config, **given_)
    assert chances.sum() == pytest.approx(1)
    assert (chances >= 0).all()
    assert allowed is None or not chances[~allowed].any()
    chance = config.generator()
    drawn = [sample(logits, history, config, chance, **given_) for _ in range(5)]
    assert (chances[drawn] > 0).all()
    chance = config.generator()
    assert drawn == [sample(logits, history, config, chance, **given_) for _ in range(5)]
    np.testing.assert_array_equal(logits, before)


@settings(max_examples=150, deadline=None)
@given(
    whole=st.lists(st.integers(-2000, 2000), min_size=2, max_size=60),
    constant=st.integers(-1000, 1000),
    config=configs(size=2),
    history=HISTORIES,
)
def test_a_constant_added_to_all_scores_changes_nothing(
    whole: list[int], constant: int, config: SamplingConfig, history: list[int]
) -> None:
    config = replace(config, repetition_penalty=1.0, presence_penalty=0.5, frequency_penalty=-0.25, logit_bias={1: 2})
    logits = (np.array(whole) / 64).astype(np.float32)  # exact in float32, and so is the sum
    one = distribution(logits, history, config)
    np.testing.assert_array_equal(one, distribution((logits + constant).astype(np.float32), history, config))


@settings(max_examples=150, deadline=None)
@given(logits=vectors(20.0), config=configs())
def test_each_filter_keeps_what_its_definition_says(logits: np.ndarray, config: SamplingConfig) -> None:
    config = replace(config, temperature=max(config.temperature, 0.01), logit_bias={})
    chances = distribution(logits, [], config)
    if config.top_k:
        edge = np.sort(logits)[-min(config.top_k, 40)]
        assert not chances[logits < edge].any()
    if config.order == "transformers":
        live = chances[chances > 0]
        assert live.min() >= config.min_p * live.max() * (1 - 1e-5)


@settings(max_examples=60, deadline=None)
@given(token=st.integers(0, 39), seed=st.integers(0, 2**32), order=st.sampled_from(["transformers", "llama.cpp"]))
def test_a_bias_of_minus_100_is_never_chosen_and_of_100_always(token: int, seed: int, order: Any) -> None:
    logits = scores(40, 3.0, seed)
    never = SamplingConfig(temperature=1.0, top_p=1.0, logit_bias={token: -100}, order=order, seed=seed)
    chance = never.generator()
    assert token not in {sample(logits, [], never, chance) for _ in range(50)}
    always = replace(never, logit_bias={token: 100})
    assert {sample(logits, [], always, chance) for _ in range(50)} == {token}


def test_a_bias_outside_the_vocabulary_is_refused_by_name() -> None:
    config = SamplingConfig(logit_bias={3: 1.0, 100: 2.0})
    config.check_vocabulary(101)
    with pytest.raises(OptionError, match=r"logit_bias names token 100, .* ends at 99"):
        config.check_vocabulary(100)
    with pytest.raises(OptionError, match="logit_bias"):
        sample(scores(100, 1.0), [], config, np.random.default_rng())


@pytest.mark.parametrize(
    "bad", [{"allowed": np.ones(9, bool)}, {"allowed": np.ones(10, np.int64)}, {"prompt_length": -1}]
)
def test_a_mask_or_length_that_fits_nothing_is_refused_by_name(bad: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(iter(bad))):
        sample(scores(10, 1.0), [], SamplingConfig(), np.random.default_rng(), **bad)


def test_a_config_is_a_value_that_cannot_be_changed() -> None:
    given_ = {5: 1, 2: -1.5}
    config = SamplingConfig(logit_bias=given_)
    given_[7] = 3
    assert config == SamplingConfig(logit_bias={2: -1.5, 5: 1.0})
    assert hash(config) == hash(SamplingConfig(logit_bias={2: -1.5, 5: 1.0}))
    assert config != SamplingConfig(logit_bias={2: -1.5})
    assert dict(config.logit_bias) == {2: -1.5, 5: 1.0}
    with pytest.raises(TypeError):
        config.logit_bias[2] = 0.0  # type: ignore[index]
    assert pickle.loads(pickle.dumps(config)) == config
    assert isinstance(replace(config, seed=1).logit_bias, LogitBias)


def test_only_penalties_need_the_history() -> None:
    assert not SamplingConfig(top_k=4, typical_p=0.5, logit_bias={1: 1}).uses_history
    for name in ("repetition_penalty", "presence_penalty", "frequency_penalty"):
        options: dict[str, Any] = {name: 1.5}
        assert SamplingConfig(**options).uses_history


ABSURD = [float("nan"), float("inf"), -float("inf"), 10**5000, -(10**5000), -3, "1", None, True, [1], 1j, object()]


@pytest.mark.parametrize(
    "field",
    ["temperature", "top_p", "typical_p", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty"],
)
@pytest.mark.parametrize("value", ABSURD, ids=lambda value: type(value).__name__)
def test_an_absurd_number_is_refused_by_its_fields_name(field: str, value: Any) -> None:
    with pytest.raises(OptionError, match=f"^{field} must be") as caught:
        SamplingConfig(**{field: value})
    assert isinstance(caught.value, UserFacingError)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "options",
    [
        {"typical_p": 0},
        {"typical_p": 1.01},
        {"presence_penalty": 2.1},
        {"frequency_penalty": -2.1},
        {"order": "vllm"},
        {"order": None},
        {"order": ["transformers"]},
        {"order": "x" * 100_000},
        {"seed": 1.0},
        {"seed": True},
        {"seed": -(10**5000)},
        {"top_k": float("nan")},
        {"logit_bias": [1, 2]},
        {"logit_bias": "abc"},
        {"logit_bias": {-1: 0.0}},
        {"logit_bias": {"1": 0.0}},
        {"logit_bias": {True: 0.0}},
        {"logit_bias": {1.0: 0.0}},
        {"logit_bias": {10**5000: 0.0}},
        {"logit_bias": {1: 100.5}},
        {"logit_bias": {1: float("nan")}},
        {"logit_bias": {1: "much"}},
        {"logit_bias": {1: None}},
    ],
)
def test_an_absurd_option_is_refused_by_its_fields_name(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=f"^{next(iter(options))} ") as caught:
        SamplingConfig(**options)
    assert len(str(caught.value)) < 200


def test_numbers_that_are_only_large_are_taken() -> None:
    config = SamplingConfig(seed=10**5000, top_k=10**30, repetition_window=10**30, repetition_penalty=1.1)
    assert 0 <= sample(scores(10, 1.0), [1, 2], config, config.generator()) < 10
