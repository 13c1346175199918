"""The choice of a token, and the distribution that it is made by."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from runtime.errors import ModelOutputError, OptionError
from runtime.sampling.config import SamplingConfig
from runtime.sampling.edges import BLOCK, ONES
from runtime.sampling.filters import filtered
from runtime.sampling.penalties import Tokens, adjusted
from runtime.sampling.scratch import Scores

_FEW = 4096  # tokens summed one by one

Mask = npt.NDArray[np.bool_]


def sample(
    logits: Scores,
    history: Tokens,
    config: SamplingConfig,
    generator: np.random.Generator,
    *,
    prompt_length: int = 0,
    allowed: Mask | None = None,
) -> int:
    """One token id, chosen by `logits` [V], which is not changed.

    `history` is every token so far, the prompt's too, of which the first `prompt_length` are the prompt's: presence
    and frequency penalty count the others. Where `config.uses_history` is False it may be empty. Of the tokens that
    `allowed` [V] marks one is chosen, whatever bias and filters say; None allows all.

    Raises ModelOutputError for NaN or infinity and where no token is allowed, OptionError for a bias or a mask of
    another vocabulary. Ties in greedy go to the lowest id.
    """
    ids, scores = _candidates(logits, history, config, prompt_length, allowed)
    if config.greedy:
        place = int(np.argmax(scores))
        return place if ids is None else int(ids[place])
    left = filtered(scores, ids, config)
    place = _pick(left.weights, generator.random())
    return place if left.ids is None else int(left.ids[place])


def distribution(
    logits: Scores,
    history: Tokens,
    config: SamplingConfig,
    *,
    prompt_length: int = 0,
    allowed: Mask | None = None,
) -> npt.NDArray[np.float64]:
    """The probabilities [V] by which `sample`, given the same, chooses."""
    ids, scores = _candidates(logits, history, config, prompt_length, allowed)
    chances = np.zeros(len(logits))
    if config.greedy:
        place = np.argmax(scores)
        chances[place if ids is None else ids[place]] = 1
        return chances
    left = filtered(scores, ids, config)
    chances[slice(None) if left.ids is None else left.ids] = left.weights
    chances /= chances.sum()
    return chances


def _candidates(
    logits: Scores, history: Tokens, config: SamplingConfig, prompt_length: int, allowed: Mask | None
) -> tuple[npt.NDArray[np.intp] | None, Scores]:
    """Ids [C] of the allowed tokens (None: all) and their scores [C], with bias and penalties."""
    scores = adjusted(logits, history, config, prompt_length)
    if allowed is None:
        return None, scores
    if allowed.dtype != np.bool_ or allowed.shape != logits.shape:
        raise OptionError(
            f"allowed must be {len(logits)} booleans, one for each token, not {allowed.dtype} {list(allowed.shape)}."
        )
    ids = np.flatnonzero(allowed)
    if not len(ids):
        raise ModelOutputError(
            "No token is allowed next: what was written so far cannot become what the grammar or schema asks for; "
            "loosen it, or ask again."
        )
    return ids, scores[ids]


def _pick(weights: Scores, chance: float) -> int:
    """The place in `weights` [C] where their running sum passes `chance` (0 to 1) of the whole; never one of weight 0.

    Sums blocks first: a running sum of all 65,024 weights would take most of a token's time.
    """
    if len(weights) <= _FEW:
        sums = weights.astype(np.float64).cumsum()
        return _passing(sums, chance * sums[-1])
    whole = len(weights) // BLOCK * BLOCK
    masses = (weights[:whole].reshape(-1, BLOCK) @ ONES).astype(np.float64)
    if whole < len(weights):
        masses = np.append(masses, weights[whole:].sum(dtype=np.float64))
    sums = masses.cumsum()
    wanted = chance * sums[-1]
    block = _passing(sums, wanted)
    if block:
        wanted -= sums[block - 1]
    start = block * BLOCK
    return start + _passing(weights[start : start + BLOCK].astype(np.float64).cumsum(), wanted)


def _passing(sums: npt.NDArray[np.float64], wanted: float) -> int:
    """The first place where a running sum passes `wanted`.

    Rounding may put that beyond the end: then the last place that adds anything is meant.
    """
    place = sums.searchsorted(wanted, side="right")
    return int(place if place < len(sums) else sums.searchsorted(sums[-1]))
