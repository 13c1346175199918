"""Two models over the same text, side by side: nothing is kept of their scores but a few numbers a token.

The figures are those of llama.cpp's KL tool. p is the reference's distribution of the next token, q the other's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from runtime.backends.base import Backend
from runtime.measure.scores import Told, log_normalizer, score, shifted
from runtime.measure.statistics import (
    Estimate,
    Values,
    correlation_of,
    finite,
    mean_of,
    percentiles,
    root_mean_square,
)
from runtime.measure.windows import Window

KL_SHARES = (50.0, 90.0, 95.0, 99.0, 99.9, 100.0)
DELTA_SHARES = (0.0, 0.1, 1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 100.0)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What two models make of the same tokens; every array is [tokens], in the order of the text."""

    loss: Values  # -ln q of the text's own token, in nats
    reference_loss: Values  # -ln p of it
    kl: Values  # KL(p || q) of the whole distribution, in nats
    same_top: Values  # 1 where both find the same token likeliest, else 0
    windows: int
    complete: bool  # False after Ctrl-C

    @property
    def tokens(self) -> int:
        """Tokens that both scored."""
        return len(self.kl)

    @property
    def perplexity(self) -> Estimate:
        """The other's."""
        return mean_of(self.loss).exp

    @property
    def reference_perplexity(self) -> Estimate:
        """The reference's."""
        return mean_of(self.reference_loss).exp

    @property
    def log_ratio(self) -> Estimate:
        """ln(perplexity / reference's). The error is of paired differences: what makes a text hard for both cancels."""
        return mean_of(self.loss - self.reference_loss)

    @property
    def delta_p(self) -> Values:
        """q - p of the text's own token: above 0 where the other found it likelier."""
        result: Values = np.exp(-self.loss) - np.exp(-self.reference_loss)
        return result

    def to_json(self) -> dict[str, object]:
        """For programs; shares and probabilities are between 0 and 1."""
        delta = self.delta_p
        return {
            "perplexity": self.perplexity.to_json(),
            "reference_perplexity": self.reference_perplexity.to_json(),
            "log_ratio": self.log_ratio.to_json(),
            "ratio": self.log_ratio.exp.to_json(),
            "correlation": finite(correlation_of(self.loss, self.reference_loss)),
            "kl": mean_of(self.kl).to_json() | _named(percentiles(self.kl, KL_SHARES)),
            "delta_p": mean_of(delta).to_json() | _named(percentiles(delta, DELTA_SHARES)),
            "delta_p_rms": root_mean_square(delta).to_json(),
            "same_top": mean_of(self.same_top).to_json(),
            "tokens": self.tokens,
            "windows": self.windows,
            "complete": self.complete,
        }


def compare_models(
    other: Backend[Any],
    reference: Backend[Any],
    ids: Sequence[int],
    windows: Sequence[Window],
    *,
    cancelled: Callable[[], bool],
    told: Told,
) -> Comparison | None:
    """Score `windows` of `ids` by both, a piece at a time; what there is when `cancelled`, None if that is nothing.

    The backends have one vocabulary. Raises ModelOutputError.
    """
    figures: list[tuple[float, float, float, bool]] = []

    def take(target: int, rows: tuple[npt.NDArray[np.float32], ...]) -> None:
        ours, theirs = rows
        figures.append(compare_rows(ours, theirs, target))

    done = score((other, reference), ids, windows, take=take, cancelled=cancelled, told=told)
    if not figures:
        return None
    loss, reference_loss, kl, same = np.array(figures, np.float64).T
    return Comparison(
        loss=loss, reference_loss=reference_loss, kl=kl, same_top=same, windows=done.windows, complete=done.complete
    )


def compare_rows(
    other: npt.NDArray[np.float32], reference: npt.NDArray[np.float32], target: int
) -> tuple[float, float, float, bool]:
    """Of two rows of scores [V]: both losses at `target`, KL(reference || other), whether the likeliest is the same.

    KL = Σ p (ln p - ln q), with the normalizers outside the sum.
    """
    x, y = shifted(other), shifted(reference)
    same = int(x.argmax()) == int(y.argmax())
    x_norm, weights = log_normalizer(x), np.exp(y)
    total = float(weights.sum())
    # The logarithm of log_normalizer: another may differ in its last bit, and what is equal would not be.
    y_norm = float(np.log(total))
    losses = x_norm - float(x[target]), y_norm - float(y[target])
    y -= x
    y *= weights  # numpy's own sum, not a product by BLAS, whose threads cost more than they bring here
    kl = float(y.sum()) / total + x_norm - y_norm
    return *losses, max(kl, 0.0), same  # rounding may go below


def _named(shares: dict[float, float]) -> dict[str, float | None]:
    names = {0.0: "min", 50.0: "median", 100.0: "max"}
    return {names.get(share, f"p{share:g}"): finite(value) for share, value in shares.items()}
