"""Chooser: one number of the seed's for each token that is chosen, wherever it is chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.backends.choosing import choose_each
from runtime.chooser import Chooser
from runtime.sampling import SamplingConfig


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    options=st.sampled_from(
        [
            {},
            {"temperature": 0},
            {"presence_penalty": 1.0, "repetition_penalty": 1.3},
            {"top_k": 3, "order": "llama.cpp"},
        ]
    ),
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=8),
)
def test_guesses_fed_ahead_are_judged_on_a_device_as_on_the_host(
    seed: int, options: dict[str, Any], sizes: list[int]
) -> None:
    """Of guesses some stand and some do not; what comes after is the same, so numbers of those that fell come back."""
    config = SamplingConfig(**{"seed": seed, "temperature": 1.0, **options})
    written = {"host": [1, 2, 3], "device": [1, 2, 3]}
    choosers = {name: Chooser(config, history, choices=8) for name, history in written.items()}
    chance = np.random.default_rng(seed)
    for size in sizes:
        scored = chance.normal(size=(size, 9), scale=2).astype(np.float32)
        guesses = scored[:-1, :8].argmax(-1).tolist()
        tokens = [written["host"][-1], *guesses]
        chosen = choosers["host"].on_host(scored, tokens)
        assert choose_each(torch.from_numpy(scored), [(tokens, choosers["device"])]) == [chosen]
        assert chosen[:-1] == guesses[: len(chosen) - 1]
        for history in written.values():
            history += chosen


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_the_last_row_is_chosen_by_only_where_all_guesses_stood(temperature: float) -> None:
    scored = np.full((3, 5), -50, np.float32)
    scored[[0, 1, 2], [1, 2, 3]] = 50
    for guesses, wanted in (([1, 2], [1, 2, 3]), ([1, 4], [1, 2]), ([0, 2], [1])):
        chooser = Chooser(SamplingConfig(temperature=temperature, seed=1), [0], choices=5)
        assert chooser.on_host(scored, [0, *guesses]) == wanted
        assert choose_each(torch.from_numpy(scored), [([0, *guesses], chooser)]) == [wanted]
