"""Log-probabilities: how likely the model itself found a token, and which tokens it found likeliest."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runtime.errors import OptionError
from runtime.sampling.edges import top_places, total_of
from runtime.sampling.penalties import check_finite
from runtime.sampling.scratch import Scores, scratch

_PLAIN = 60  # up to here e to the power of the highest score, summed over a vocabulary, is a float32


@dataclass(frozen=True)
class TokenLogprobs:
    """Natural logarithms of the model's own probabilities: temperature 1, no bias, penalty or filter."""

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...]  # the likeliest tokens and theirs, likeliest first, of equals the lowest id


def log_probabilities(logits: Scores, token: int, top_n: int) -> TokenLogprobs:
    """Of `token` and of the `top_n` likeliest, by the scores `logits` [V] as the model gave them. Within 1e-5.

    Raises OptionError for a token outside the vocabulary or a negative `top_n` (more than V gives V), ModelOutputError
    for NaN or infinity.
    """
    if not 0 <= token < len(logits):
        raise OptionError(f"token must be an id from 0 to {len(logits) - 1}, not {token}.")
    if top_n < 0:
        raise OptionError(f"top_n must be 0 or more tokens, not {top_n}.")
    check_finite(logits)
    ids = _top(logits, top_n)
    highest = float(logits[ids[0]] if top_n else logits.max())
    weights = scratch("weights", len(logits))
    if abs(highest) < _PLAIN:
        np.exp(logits, out=weights)
        whole = math.log(total_of(weights))
    else:
        with np.errstate(over="ignore"):
            np.subtract(logits, np.float32(highest), out=weights)
        whole = highest + math.log(total_of(np.exp(weights, out=weights)))
    # Rounding of float32 weights may leave a probability a little above 1.
    values = np.minimum(logits[ids].astype(np.float64) - whole, 0)
    return TokenLogprobs(
        token, min(float(logits[token]) - whole, 0.0), tuple(zip(ids.tolist(), values.tolist(), strict=True))
    )


def _top(logits: Scores, count: int) -> npt.NDArray[np.intp]:
    """Ids of the `count` highest of `logits` [V], highest first, of equals the lowest."""
    ids = top_places(logits, count) if 0 < count < len(logits) else np.arange(min(count, len(logits)))
    return ids[np.argsort(-logits[ids], kind="stable")[:count]]
