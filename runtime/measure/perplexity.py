"""How well a model predicts a text: perplexity and bits per byte."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from runtime.backends.base import Backend
from runtime.measure.scores import Told, log_normalizer, score, shifted
from runtime.measure.statistics import Estimate, mean_of
from runtime.measure.windows import Window


@dataclass(frozen=True, kw_only=True)
class Perplexity:
    """Of the tokens that were scored; `bytes` is the length of their text in UTF-8."""

    loss: Estimate  # -ln p of the text's own next token, mean, in nats a token
    tokens: int
    bytes: int
    windows: int  # of which a token was scored
    complete: bool  # False after Ctrl-C

    @property
    def perplexity(self) -> Estimate:
        """exp of the loss."""
        return self.loss.exp

    @property
    def bits_per_byte(self) -> Estimate:
        """The loss for each byte of text, in bits: it compares models of different tokenizers."""
        return self.loss.times(self.tokens / self.bytes / math.log(2) if self.bytes else math.nan)

    def to_json(self) -> dict[str, object]:
        """For programs."""
        return {
            "perplexity": self.perplexity.to_json(),
            "loss": self.loss.to_json(),
            "bits_per_byte": self.bits_per_byte.to_json(),
            "tokens": self.tokens,
            "bytes": self.bytes,
            "windows": self.windows,
            "complete": self.complete,
        }


def measure_perplexity(
    backend: Backend[Any],
    ids: Sequence[int],
    windows: Sequence[Window],
    *,
    token_bytes: Callable[[int], bytes],
    cancelled: Callable[[], bool],
    told: Told,
) -> Perplexity | None:
    """Score `windows` of `ids`; what there is when `cancelled`, None if that is nothing. Raises ModelOutputError."""
    losses: list[float] = []
    text = 0

    def take(target: int, rows: tuple[npt.NDArray[np.float32], ...]) -> None:
        nonlocal text
        scores = shifted(rows[0])
        losses.append(log_normalizer(scores) - float(scores[target]))
        text += len(token_bytes(target))

    done = score((backend,), ids, windows, take=take, cancelled=cancelled, told=told)
    if not losses:
        return None
    loss = mean_of(np.array(losses))
    return Perplexity(loss=loss, tokens=len(losses), bytes=text, windows=done.windows, complete=done.complete)
