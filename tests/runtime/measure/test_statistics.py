"""Means, errors and percentiles against Python's own `statistics` and against definitions written out."""

from __future__ import annotations

import json
import math
import statistics

import numpy as np
import pytest

from runtime.measure.statistics import (
    Estimate,
    Spread,
    correlation_of,
    mean_of,
    percentiles,
    root_mean_square,
)

RNG = np.random.default_rng(3)
FIRST = RNG.gamma(2, size=501)
SECOND = FIRST + RNG.normal(size=501)


def test_the_error_of_a_mean_is_the_deviation_over_the_root_of_the_count() -> None:
    found = mean_of(FIRST)
    assert found.value == pytest.approx(statistics.fmean(FIRST))
    assert found.error == pytest.approx(statistics.stdev(FIRST) / math.sqrt(501))


def test_a_share_has_the_binomial_error() -> None:
    hits = np.array([1.0] * 30 + [0.0] * 70)
    assert mean_of(hits).error == pytest.approx(math.sqrt(0.3 * 0.7 / 99))  # llama.cpp's formula


def test_one_value_has_no_error_and_null_in_json() -> None:
    found = mean_of(np.array([2.0]))
    assert found.value == 2
    assert math.isnan(found.error)
    assert json.dumps(found.to_json(), allow_nan=False) == '{"value": 2.0, "error": null}'


def test_the_error_of_an_exponential_and_of_a_root_is_its_slope_times_the_error() -> None:
    step = 1e-6
    found = Estimate(1.3, 0.01)
    assert found.exp.error == pytest.approx((math.exp(1.3 + step) - math.exp(1.3 - step)) / (2 * step) * 0.01)
    assert Estimate(1e4, 1.0).exp.value == math.inf
    squares = [x * x for x in FIRST]
    mean, error = statistics.fmean(squares), statistics.stdev(squares) / math.sqrt(501)
    root = root_mean_square(FIRST)
    assert root.value == pytest.approx(math.sqrt(mean))
    assert root.error == pytest.approx((math.sqrt(mean + step) - math.sqrt(mean - step)) / (2 * step) * error)


def test_correlation_is_pearsons_and_undefined_for_constants() -> None:
    assert correlation_of(FIRST, SECOND) == pytest.approx(statistics.correlation(FIRST.tolist(), SECOND.tolist()))
    assert math.isnan(correlation_of(FIRST, np.ones(501)))


def test_percentiles_lie_between_neighbours() -> None:
    found = percentiles(np.array([3.0, 1.0, 2.0, 4.0]), (0.0, 50.0, 90.0, 100.0))
    assert found == {0.0: 1.0, 50.0: 2.5, 90.0: pytest.approx(3.7), 100.0: 4.0}


def test_a_spread_keeps_the_order_of_its_values() -> None:
    spread = Spread((3.0, 1.0, 2.0))
    assert spread.to_json() == {"median": 2.0, "min": 1.0, "max": 3.0, "values": [3.0, 1.0, 2.0]}
