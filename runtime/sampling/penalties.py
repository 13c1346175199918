"""What changes scores before any token is filtered: bias and penalties. Each touches only the tokens that it names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from runtime.errors import ModelOutputError, OptionError
from runtime.sampling.config import LogitBias, SamplingConfig
from runtime.sampling.scratch import Scores, scratch

Tokens = Sequence[int] | npt.NDArray[np.integer]

_LARGEST = np.finfo(np.float32).max


def check_finite(logits: Scores) -> None:
    """Raise ModelOutputError for NaN or infinity in `logits` [V]."""
    with np.errstate(over="ignore", invalid="ignore"):
        product = np.dot(logits, logits)  # tells in less time; it overflows for finite scores, too, yet for no model's
    if not np.isfinite(product) and not np.isfinite(logits).all():
        raise ModelOutputError(
            "The model produced scores that are not finite (NaN or infinity): its arithmetic overflowed on this "
            "device; try another backend, or export the model again."
        )


def adjusted(logits: Scores, history: Tokens, config: SamplingConfig, prompt_length: int) -> Scores:
    """`logits` [V], or a copy (scratch) with bias and penalties.

    Raises OptionError for a bias outside the vocabulary.
    """
    if prompt_length < 0:
        raise OptionError(f"prompt_length must be 0 or more tokens, not {prompt_length}.")
    check_finite(logits)
    penalised = config.uses_history and len(history) > 0
    if not penalised and not config.logit_bias:
        return logits
    scores = scratch("scores", len(logits))
    scores[:] = logits
    if config.logit_bias:
        config.check_vocabulary(len(scores))
        assert isinstance(config.logit_bias, LogitBias)
        scores[config.logit_bias.ids] += config.logit_bias.values_by_id
    if penalised:
        _penalise(scores, history, config, prompt_length)
    return scores


def _penalise(scores: Scores, history: Tokens, config: SamplingConfig, prompt_length: int) -> None:
    """Change `scores` [V] by what was said before."""
    length, window = len(history), config.repetition_window or len(history)
    repeated = max(0, length - window) if config.repetition_penalty != 1 else length  # where the window begins
    generated = min(prompt_length, length) if config.presence_penalty or config.frequency_penalty else length
    begin = min(repeated, generated)
    tokens = np.asarray(history[begin:], np.int64)
    is_known = tokens.view(np.uint64) < len(scores)  # padded ids have no score; those below 0 read as very large
    whole = bool(is_known.all())
    if repeated < length:
        seen = tokens[repeated - begin :]
        seen = seen if whole else seen[is_known[repeated - begin :]]
        _penalise_repetition(scores, seen, config.repetition_penalty)
    if generated < length:
        seen = tokens[generated - begin :]
        seen = seen if whole else seen[is_known[generated - begin :]]
        _penalise_generated(scores, seen, config)


def _penalise_repetition(scores: Scores, seen: npt.NDArray[np.int64], penalty: float) -> None:
    values, factor = scores[seen], np.float32(penalty)
    with np.errstate(over="ignore"):
        changed = np.where(values < 0, values * factor, values / factor)
    np.minimum(changed, _LARGEST, out=changed)
    scores[seen] = np.maximum(changed, -_LARGEST, out=changed)


def _penalise_generated(scores: Scores, generated: npt.NDArray[np.int64], config: SamplingConfig) -> None:
    """OpenAI's formula: score - count · frequency_penalty - (1 where count > 0) · presence_penalty."""
    ordered = np.sort(generated)
    is_last = np.ones(len(ordered), np.bool_)  # of its equals
    np.not_equal(ordered[1:], ordered[:-1], out=is_last[:-1])
    ends = np.flatnonzero(is_last)
    counts = ends + 1
    counts[1:] -= counts[:-1].copy()
    scores[ordered[ends]] -= (counts * config.frequency_penalty + config.presence_penalty).astype(np.float32)
