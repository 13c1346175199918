"""Choosing in torch, as on a device: the same tokens as the host's sampling for the same numbers, but for rounding."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from runtime.backends.asked import prepared
from runtime.backends.choosing import choose_each, chosen_ids, ids_of
from runtime.chooser import Ask, Chooser
from runtime.errors import ModelOutputError, OptionError
from runtime.sampling import LogitBias, SamplingConfig, distribution, sample
from runtime.sampling.penalties import adjusted
from tests.runtime.test_sampling import FALCON_VOCABULARY, scores
from tests.runtime.test_sampling_properties import HISTORIES, LARGEST, configs, vectors

ROUNDING = 2e-6  # of the mass from an edge, or of min-p's bound
ORDERS: tuple[Any, ...] = ("transformers", "llama.cpp")
Scores = npt.NDArray[np.float32]


class Given:
    """A source of chance that says what it was told."""

    def __init__(self, chance: float) -> None:
        self.chance = chance

    def random(self) -> float:
        return self.chance


def ask(config: SamplingConfig, chance: float, *, choices: int, history: Any = (), prompt: int = 0) -> Ask:
    return Ask(config=config, history=history, prompt_length=prompt, choices=choices, chance=chance)


def on_host(logits: Scores, asked: Ask) -> int:
    source = cast("np.random.Generator", Given(asked.chance))
    scored = logits[: asked.choices]
    return sample(scored, asked.history, asked.config, source, prompt_length=asked.prompt_length)


def excused(logits: Scores, asked: Ask, token: int) -> bool:
    """Whether the host, were its edges or its sums a rounding error elsewhere, would choose `token`, too.

    A device tells tokens apart by how far they are below the likeliest, where tiny differences of scores are rounded.
    """
    scored = adjusted(logits[: asked.choices], asked.history, asked.config, asked.prompt_length).copy()
    top = scored.max()
    with np.errstate(over="ignore"):
        rounded = np.maximum(top - (top - scored), -np.finfo(np.float32).max)
    plain = replace(
        asked.config, repetition_penalty=1.0, presence_penalty=0.0, frequency_penalty=0.0, logit_bias=LogitBias()
    )
    for values, factors in product((scored, rounded), product((1 - ROUNDING, 1.0, 1 + ROUNDING), repeat=3)):
        moved = {
            name: min(1.0, getattr(plain, name) * by)
            for name, by in zip(("top_p", "typical_p", "min_p"), factors, strict=True)
        }
        chances = distribution(values, (), replace(plain, **moved))
        running = np.cumsum(chances)
        if chances[token] and running[token] - chances[token] - ROUNDING <= asked.chance <= running[token] + ROUNDING:
            return True
    return False


def assert_chosen_as_on_host(logits: Scores, asks: list[Ask], chosen: list[int], *, excuses: int) -> None:
    """At most so many of the choices may differ, and those by rounding only."""
    differ = [(one, token) for one, token in zip(asks, chosen, strict=True) if on_host(logits, one) != token]
    assert len(differ) <= excuses, differ
    for one, token in differ:
        assert excused(logits, one, token), (one, token)


def rows(logits: Scores, count: int) -> torch.Tensor:
    return torch.from_numpy(logits).expand(count, -1)


@settings(max_examples=300, deadline=None)
@given(
    logits=vectors() | vectors(LARGEST) | vectors(3.0) | vectors(20.0),
    config=configs(),
    history=HISTORIES,
    prompt=st.integers(0, 40),
    chances=st.lists(st.floats(0, 1, exclude_max=True), min_size=4, max_size=4),
)
def test_any_options_choose_as_on_the_host(
    logits: Scores, config: SamplingConfig, history: list[int], prompt: int, chances: list[float]
) -> None:
    before = logits.copy()
    asks = [ask(config, chance, choices=40, history=history, prompt=prompt) for chance in chances]
    assert_chosen_as_on_host(logits, asks, ids_of(rows(logits, 4), asks), excuses=4)
    np.testing.assert_array_equal(logits, before)


def test_scores_that_differ_by_less_than_their_distance_from_the_likeliest_can_show_are_a_tie() -> None:
    logits = np.array([0.0] * 29 + [1.0] + [-1.0] * 9 + [-4e-45], np.float32)
    asked = ask(SamplingConfig(temperature=1, top_p=0.5), 0.5, choices=40)
    (chosen,) = ids_of(rows(logits, 1), [asked])
    assert chosen != on_host(logits, asked)
    assert excused(logits, asked, chosen)


@settings(max_examples=200, deadline=None)
@given(whole=st.lists(st.integers(-6, 6), min_size=2, max_size=60), config=configs(size=2), seed=st.integers(0, 99))
def test_tied_scores_choose_as_on_the_host(whole: list[int], config: SamplingConfig, seed: int) -> None:
    logits = (np.array(whole) / 2).astype(np.float32)
    asks = [ask(config, chance, choices=len(whole)) for chance in np.random.default_rng(seed).random(4).tolist()]
    assert_chosen_as_on_host(logits, asks, ids_of(rows(logits, 4), asks), excuses=4)


def large(shape: str) -> Scores:
    """Falcon's vocabulary: peaked and flat as language models' scores are, random, or many tokens to a score."""
    if shape == "random":
        return scores(FALCON_VOCABULARY, 3.0)
    if shape == "tied":
        return np.round(scores(FALCON_VOCABULARY, 2.0)).astype(np.float32)
    chance = np.random.default_rng(7)
    ranks = chance.permutation(FALCON_VOCABULARY) + 1.0
    exponent = {"peaked": 1.6, "flat": 0.8}[shape]
    scored: Scores = (-exponent * np.log(ranks) + chance.normal(scale=0.3, size=FALCON_VOCABULARY)).astype(np.float32)
    return scored


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("shape", ["peaked", "flat", "random", "tied"])
def test_falcons_vocabulary_chooses_as_on_the_host(shape: str, order: Any) -> None:
    logits = large(shape)
    chances = np.random.default_rng(1).random(12).tolist()
    for top_k, top_p, min_p, typical_p in (
        *((0, 1.0, 0.0, 1.0), (0, 0.95, 0.0, 1.0), (40, 0.95, 0.05, 1.0), (2000, 1.0, 0.0, 1.0), (7, 1.0, 0.0, 1.0)),
        *((0, 1.0, 0.1, 1.0), (0, 1.0, 0.0, 0.9), (50, 0.9, 0.01, 0.95), (0, 0.7, 0.0, 0.5)),
    ):
        config = SamplingConfig(
            temperature=0.8, top_k=top_k, top_p=top_p, min_p=min_p, typical_p=typical_p, order=order
        )
        asks = [ask(config, chance, choices=FALCON_VOCABULARY) for chance in chances]
        assert_chosen_as_on_host(logits, asks, ids_of(rows(logits, len(asks)), asks), excuses=1)


def test_ties_with_the_last_of_top_k_can_all_be_chosen() -> None:
    logits = np.zeros(FALCON_VOCABULARY, np.float32)
    logits[::2] = 1.0
    for config in (SamplingConfig(top_k=3, top_p=1.0), SamplingConfig(top_k=3, top_p=0.9), SamplingConfig(top_k=1)):
        asks = [ask(config, chance, choices=FALCON_VOCABULARY) for chance in (0.0, 0.4, 0.9999)]
        assert_chosen_as_on_host(logits, asks, ids_of(rows(logits, 3), asks), excuses=0)


@pytest.mark.parametrize("order", ORDERS)
def test_a_share_that_is_reached_exactly_needs_no_further_token(order: Any) -> None:
    logits = np.log(np.array([0.5, 0.25, 0.25], np.float32))
    for option in ("top_p", "typical_p"):
        options: dict[str, Any] = {"top_p": 1.0, "temperature": 1.0, "order": order, option: 0.5}
        config = SamplingConfig(**options)
        asks = [ask(config, chance, choices=3) for chance in (0.0, 0.6, 0.9999)]
        assert_chosen_as_on_host(logits, asks, ids_of(rows(logits, 3), asks), excuses=0)


def test_of_equal_scores_greedy_takes_the_lowest_id() -> None:
    logits = torch.zeros(1, FALCON_VOCABULARY)
    logits[0, [900, 40_000]] = 1.0
    assert ids_of(logits, [ask(SamplingConfig(temperature=0), 0.0, choices=FALCON_VOCABULARY)]) == [900]


@settings(max_examples=100, deadline=None)
@given(
    settings_=st.lists(configs(), min_size=2, max_size=6),
    history=HISTORIES,
    seed=st.integers(0, 999),
    greedy=st.sets(st.integers(0, 5)),
)
def test_rows_of_different_settings_go_together_as_each_would_alone(
    settings_: list[SamplingConfig], history: list[int], seed: int, greedy: set[int]
) -> None:
    chance = np.random.default_rng(seed)
    logits = chance.normal(size=(len(settings_), 40), scale=3).astype(np.float32)
    asks = [
        ask(
            replace(config, temperature=0) if row in greedy else config,
            float(chance.random()),
            choices=(40, 38)[row % 2],
            history=history[row:],
            prompt=row,
        )
        for row, config in enumerate(replace(config, logit_bias={3: 1.5}) for config in settings_)
    ]
    together = ids_of(torch.from_numpy(logits), asks)
    for one, scored, token in zip(asks, logits, together, strict=True):
        assert_chosen_as_on_host(scored, [one], [token], excuses=1)


def test_penalties_and_bias_are_those_of_the_host() -> None:
    logits = scores(300, 2.0)
    history = np.random.default_rng(4).integers(0, 320, 200).tolist()  # ids from 300 only pad the vocabulary
    for repetition, window, presence, frequency, bias in product(
        (1.0, 1.3, 0.7), (0, 1, 64), (0.0, 0.8), (0.0, -0.4), ({}, {5: 2.0, 299: -100.0})
    ):
        config = SamplingConfig(
            repetition_penalty=repetition,
            repetition_window=window,
            presence_penalty=presence,
            frequency_penalty=frequency,
            logit_bias=bias,
        )
        asks = [ask(config, chance, choices=300, history=history, prompt=90) for chance in (0.05, 0.3, 0.5, 0.7, 0.95)]
        assert_chosen_as_on_host(logits, asks, ids_of(rows(logits, 5), asks), excuses=1)


def test_ids_beyond_the_choices_are_never_chosen() -> None:
    logits = torch.zeros(2, 50)
    logits[:, 45:] = 20.0
    asks = [ask(SamplingConfig(temperature=0), 0.0, choices=45), ask(SamplingConfig(), 0.9999, choices=45)]
    assert max(ids_of(logits, asks)) < 45


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "config",
    [SamplingConfig(temperature=0), SamplingConfig(), SamplingConfig(top_k=5, typical_p=0.5, logit_bias={3: 1.0})],
)
def test_scores_that_are_not_finite_are_the_models_fault_and_said_so(bad: float, config: SamplingConfig) -> None:
    logits = scores(100, 1.0)
    broken = logits.copy()
    broken[3] = bad
    parts = [([1], Chooser(config, [1], choices=100)) for _ in range(3)]
    one, failed, other = choose_each(torch.from_numpy(np.stack((logits, broken, logits))), parts)
    assert isinstance(failed, ModelOutputError)
    assert "not finite" in str(failed)
    assert isinstance(one, list)
    assert isinstance(other, list)


def test_a_bias_outside_the_choices_is_refused_by_name() -> None:
    with pytest.raises(OptionError, match="logit_bias names token 100"):
        ids_of(torch.zeros(1, 200), [ask(SamplingConfig(logit_bias={100: 1.0}), 0.5, choices=100)])


class Counted(TorchDispatchMode):
    """Counts operations."""

    def __init__(self) -> None:
        super().__init__()
        self.names: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names[func.overloadpacket.__name__] += 1
        return func(*args, **(kwargs or {}))


EVERYTHING: dict[str, Any] = {
    "top_p": 0.9,
    "min_p": 0.01,
    "typical_p": 0.9,
    "repetition_penalty": 1.2,
    "presence_penalty": 0.1,
    "logit_bias": {1: 2.0},
}


@pytest.mark.parametrize("top_k", [0, 40, 3000])
@pytest.mark.parametrize("order", ORDERS)
def test_no_step_waits_for_the_device_and_scores_are_put_in_order_once(order: Any, top_k: int) -> None:
    """On `meta` there is no data: what had to look at it, to know a size or a value, fails."""
    config = SamplingConfig(order=order, top_k=top_k, **EVERYTHING)
    asks = [
        ask(one, 0.5, choices=5000, history=[1, 2, 3], prompt=1) for one in (config, replace(config, temperature=0))
    ]
    steps, asked = prepared(asks, "meta")
    with Counted() as counted:
        assert chosen_ids(torch.empty(2, 5000, device="meta"), steps, asked).shape == (2,)
    assert counted.names["sort"] + counted.names["topk"] == 1


def test_steps_that_nobody_wants_are_left_out() -> None:
    def names(config: SamplingConfig) -> Counter[str]:
        steps, asked = prepared([ask(config, 0.5, choices=5000)], "cpu")
        with Counted() as counted:
            chosen_ids(torch.zeros(1, 5000), steps, asked)
        found: Counter[str] = counted.names
        return found

    greedy, plain, default = (names(SamplingConfig(**o)) for o in ({"temperature": 0}, {"top_p": 1.0}, {}))
    assert not {"sort", "topk", "exp_", "cumsum"} & set(greedy)
    assert not {"sort", "topk"} & set(plain)
    assert plain["masked_fill_"] == greedy["masked_fill_"] == 1  # of scores that are not finite
    assert default["sort"] == 1
    assert not {"scatter", "scatter_add", "scatter_add_"} & set(default)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 999), order=st.sampled_from(ORDERS), top_k=st.sampled_from([0, 7, 20]))
def test_numbers_may_be_overwritten_in_place_by_those_of_other_rows(seed: int, order: Any, top_k: int) -> None:
    """As a CUDA graph needs it: the same tensors, other settings, histories and chances."""
    chance = np.random.default_rng(seed)
    first, second = (
        [
            ask(
                SamplingConfig(
                    **{**EVERYTHING, "order": order, "top_k": top_k, "temperature": temperature, "top_p": top_p}
                ),
                float(chance.random()),
                choices=100,
                history=chance.integers(0, 100, 12).tolist(),
                prompt=2,
            )
            for temperature, top_p in (pair, pair[::-1])
        ]
        for pair in ((0.5, 0.9), (0.8, 0.6))
    )
    logits = torch.from_numpy(chance.normal(size=(2, 100), scale=3).astype(np.float32))
    (steps, held), (others, wanted) = prepared(first, "cpu"), prepared(second, "cpu")
    assert steps == others
    held.overwrite(wanted)
    assert chosen_ids(logits, steps, held).tolist() == ids_of(logits, second)
