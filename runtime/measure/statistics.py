"""Means with standard errors, and spreads. Errors treat values as independent, as llama.cpp's tool does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A figure and its standard error, NaN where a single value cannot tell one."""

    value: float
    error: float

    @property
    def exp(self) -> Estimate:
        """e to the figure; the error to first order."""
        value = math.exp(self.value) if self.value < 709 else math.inf  # beyond float64
        return Estimate(value, value * self.error)

    def times(self, factor: float) -> Estimate:
        """The figure in another unit."""
        return Estimate(self.value * factor, self.error * abs(factor))

    def to_json(self) -> dict[str, float | None]:
        """Value and error; what is no finite number is null, as JSON has none."""
        return {"value": finite(self.value), "error": finite(self.error)}


@dataclass(frozen=True)
class Spread:
    """What repeated measurements gave, in their order."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle."""
        return float(np.median(self.values))

    @property
    def low(self) -> float:
        """The least."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The most."""
        return max(self.values)

    def to_json(self) -> dict[str, object]:
        """Median, least, most, and all."""
        values = [rounded(value) for value in self.values]
        return {"median": rounded(self.median), "min": min(values), "max": max(values), "values": values}


def mean_of(values: Values) -> Estimate:
    """Mean of `values` [n], n >= 1, and its standard error: the sample's deviation over √n."""
    error = float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return Estimate(float(values.mean()), error)


def root_mean_square(values: Values) -> Estimate:
    """√(mean of squares); the error to first order: that of the mean of squares over twice the root."""
    squares = mean_of(values**2)
    root = math.sqrt(squares.value)
    return Estimate(root, squares.error / (2 * root) if root > 0 else 0.0)


def correlation_of(first: Values, second: Values) -> float:
    """Pearson's, NaN where one does not vary."""
    a, b = first - first.mean(), second - second.mean()
    scale = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / scale if scale > 0 else math.nan


def percentiles(values: Values, shares: Sequence[float]) -> dict[float, float]:
    """Value below which each share of 100 lies, linear between neighbours; 0 is the least and 100 the most."""
    return dict(zip(shares, map(float, np.percentile(values, shares)), strict=True))


def finite(value: float) -> float | None:
    """`value`, or None for what JSON cannot hold."""
    return value if math.isfinite(value) else None


def rounded(value: float) -> float:
    """`value` to six digits: more would be noise in a measured time."""
    return float(f"{value:.6g}")
