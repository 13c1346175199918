"""Log-probabilities: the model's own distribution, against torch in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.errors import ModelOutputError, OptionError
from runtime.sampling import log_probabilities
from tests.runtime.test_sampling import FALCON_VOCABULARY, scores

LARGEST = float(np.finfo(np.float32).max)


@pytest.mark.parametrize("spread", [0.01, 1.0, 8.0])
@pytest.mark.parametrize("shift", [-300.0, 0.0, 300.0])
@pytest.mark.parametrize("size", [1, 50, 3001, FALCON_VOCABULARY])
def test_they_are_torchs_log_softmax(size: int, shift: float, spread: float) -> None:
    logits = scores(size, spread) + np.float32(shift)
    wanted = torch.log_softmax(torch.tensor(logits, dtype=torch.float64), -1)
    for top_n in (0, 1, 20, 2000):
        found = log_probabilities(logits, size // 2, top_n)
        assert found.token == size // 2
        assert found.logprob == pytest.approx(float(wanted[size // 2]), abs=1e-5)
        assert [value for _, value in found.top] == pytest.approx(
            torch.topk(wanted, min(top_n, size))[0].tolist(), abs=1e-5
        )
        for token, value in found.top:
            assert value == pytest.approx(float(wanted[token]), abs=1e-5)


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(st.floats(-LARGEST, LARGEST, width=32) | st.integers(-3, 3).map(float), min_size=1, max_size=30),
    top_n=st.integers(0, 40),
    data=st.data(),
)
@pytest.mark.filterwarnings("error")
def test_the_top_is_sorted_and_equals_go_by_id(values: list[float], top_n: int, data: st.DataObject) -> None:
    token = data.draw(st.integers(0, len(values) - 1))
    found = log_probabilities(np.array(values, np.float32), token, top_n)
    order = sorted(range(len(values)), key=lambda place: (-values[place], place))
    assert [place for place, _ in found.top] == order[:top_n]
    assert found.logprob <= 1e-6
    assert dict(found.top).get(token, found.logprob) == found.logprob


def test_no_probability_is_above_one() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        logits = rng.normal(size=1888).astype(np.float32)
        logits[7] = np.float32(rng.uniform(15, 40))
        found = log_probabilities(logits, 7, 3)
        assert found.logprob <= 0
        assert all(value <= 0 for _, value in found.top)


def test_the_top_of_equals_on_a_large_vocabulary_is_the_lowest_ids() -> None:
    found = log_probabilities(np.zeros(FALCON_VOCABULARY, np.float32), 9, 5)
    assert [token for token, _ in found.top] == [0, 1, 2, 3, 4]
    assert found.logprob == pytest.approx(-np.log(FALCON_VOCABULARY))


def test_all_chances_together_are_one() -> None:
    found = log_probabilities(scores(500, 3.0), 0, 500)
    assert sum(np.exp(value) for _, value in found.top) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_the_models_fault(bad: float) -> None:
    logits = scores(100, 1.0)
    logits[3] = bad
    with pytest.raises(ModelOutputError, match="not finite"):
        log_probabilities(logits, 0, 5)


@pytest.mark.parametrize(("token", "top_n", "name"), [(-1, 0, "token"), (10, 0, "token"), (0, -1, "top_n")])
def test_a_token_or_count_that_cannot_be_is_refused_by_name(token: int, top_n: int, name: str) -> None:
    with pytest.raises(OptionError, match=name):
        log_probabilities(scores(10, 1.0), token, top_n)
