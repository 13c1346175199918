"""Choosing tokens where their scores are: runtime/sampling on a device, for several rows at once.

R rows, V vocabulary, C tokens in order of rank. Only operations of fixed shapes that never wait for the device, so that
a CUDA graph can hold them; the one wait is for the chosen ids.

Every filter keeps an interval of ranks, so the tokens' scores are sorted once, or the highest selected, and each filter
finds its edge there, by value: a tie on an edge is kept whole. Weights are whole numbers: their sums are exact in any
order, so that a device which adds in parallel gives the same running sums each time, and they never fall. The choice
differs from the host's only where rounding decides: docs/decisions/022-choosing-on-the-device.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from runtime.backends.asked import Asked, Steps, filters_first, prepared
from runtime.chooser import Ask, Chooser
from runtime.errors import ModelOutputError, UserFacingError
from runtime.sampling.penalties import check_finite

Part = tuple[Sequence[int], Chooser]
"""Of one answer: the tokens [N] whose rows are scored, the last one written and guesses, and who chooses after each."""

_SUM_BITS = 60  # of a row's weights: what is below 2**-44 of the likeliest's, for 65,024 tokens, weighs nothing
_LARGEST = torch.finfo(torch.float32).max


def choose_each(scores: Tensor, parts: Sequence[Part]) -> list[list[int] | UserFacingError]:
    """For a backend's `choose_batch`: the tokens that each answer gets by `scores` [R, V], float32, in which its rows
    lie one after the other; ModelOutputError for NaN or infinity in one that counts.

    Raises OptionError for a bias outside the vocabulary.
    """
    return standing_each(ids_of(scores, asked_of(parts)), scores, parts)


def standing_each(ids: Sequence[int], scores: Tensor, parts: Sequence[Part]) -> list[list[int] | UserFacingError]:
    """Of the `ids` [R] that rows of `scores` gave, each answer's that stand; where the last is -1, its error."""
    found: list[list[int] | UserFacingError] = []
    row = 0
    for tokens, chooser in parts:
        chosen = chooser.standing(ids[row : row + len(tokens)], tokens)
        try:
            if chosen[-1] < 0:
                check_finite(scores[row + len(chosen) - 1, : chooser.choices].cpu().numpy())
            found.append(chosen)
        except ModelOutputError as error:
            found.append(error)
        row += len(tokens)
    return found


def asked_of(parts: Sequence[Part]) -> list[Ask]:
    """What the rows of several answers are asked, one after the other."""
    return [ask for tokens, chooser in parts for ask in chooser.asks(tokens)]


@torch.inference_mode()
def ids_of(scores: Tensor, asks: Sequence[Ask]) -> list[int]:
    """The id chosen for each row of `scores` [R, V], float32, by what it is asked; -1 for NaN or infinity.

    Rows may belong to answers with settings of their own: all go together but those of different kinds. Raises
    OptionError for a bias outside the vocabulary.
    """
    groups: dict[tuple[int, bool], list[int]] = defaultdict(list)
    for row, ask in enumerate(asks):
        groups[kind_of_ask(ask)].append(row)
    pieces = []
    for rows in groups.values():
        steps, asked = prepared([asks[row] for row in rows], scores.device)
        pieces.append(chosen_ids(scores if len(rows) == len(asks) else scores[rows], steps, asked))
    order = [row for rows in groups.values() for row in rows]
    by_row = dict(zip(order, torch.cat(pieces).tolist(), strict=True))
    return [by_row[row] for row in range(len(asks))]


def kind_of_ask(ask: Ask) -> tuple[int, bool]:
    """Rows of one kind can be asked together, by the same steps."""
    return ask.choices, not ask.config.greedy and filters_first(ask.config)


def chosen_ids(logits: Tensor, steps: Steps, asked: Asked) -> Tensor:
    """The id chosen for each row of `logits` [R, V], float32, which are not changed: [R], -1 for NaN or infinity."""
    logits = logits[:, : steps.choices]
    low, top = logits.aminmax(dim=-1, keepdim=True)
    broken = low - low != top - top  # infinity and NaN are not at a distance of 0 from themselves
    scores = _adjusted(logits, asked)
    if scores is not logits:
        top = scores.amax(-1, keepdim=True)
    if steps.greedy:
        chosen = scores.argmax(-1, keepdim=True)
    else:
        weights = _weights(scores, top, steps, asked)
        running = weights.cumsum(-1)
        # Below the end even when rounded, as chances are at most 1 - 2**-53; so some token passes it.
        target = (running[:, -1:] * asked.chance).to(torch.int64)
        chosen = torch.searchsorted(running, target, right=True)
        if steps.some_greedy:
            chosen = torch.where(asked.greedy > 0, scores.argmax(-1, keepdim=True), chosen)
    return chosen.masked_fill_(broken, -1)[:, 0]


def _adjusted(scores: Tensor, asked: Asked) -> Tensor:
    """`scores` [R, V] with bias and penalties, or themselves."""
    if asked.bias is not None:
        scores = scores.scatter_add(1, asked.bias.ids, asked.bias.values)
    if asked.repetition is not None:
        ids, factor = asked.repetition.ids, asked.repetition.values
        values = scores.gather(1, ids)
        changed = torch.where(values < 0, values * factor, values / factor).clamp_(-_LARGEST, _LARGEST)
        scores = scores.scatter(1, ids, changed)
    if asked.generated is not None:
        scores = scores.scatter_add(1, asked.generated.ids, asked.generated.values)
    return scores


@dataclass(frozen=True)
class _Kept:
    """What the filters leave: gaps from `near` to `far`, each [R, 1]. None sets no bound."""

    near: Tensor | None = None
    far: Tensor | None = None


def _weights(scores: Tensor, top: Tensor, steps: Steps, asked: Asked) -> Tensor:
    """Whole numbers [R, V] in proportion to the chances of `scores` [R, V], the highest of which are `top` [R, 1].

    How far a score is below the highest, its gap, is all that counts: scores that give the same gap are a tie.
    """
    gaps = top - scores
    kept = _kept(gaps, steps, asked)
    dropped = None if kept.far is None else gaps > kept.far
    if kept.near is not None:
        nearer = gaps < kept.near
        dropped = nearer if dropped is None else dropped.logical_or_(nearer)
        gaps = (gaps - kept.near).abs_()  # typical may have dropped all above
    weights = _weighed(gaps, asked.last_rate, steps.choices)
    return weights if dropped is None else weights.masked_fill_(dropped, 0)


def _weighed(gaps: Tensor, rate: Tensor, choices: int) -> Tensor:
    """exp(gap · rate) of `gaps` [R, C] below the likeliest, as whole numbers: `choices` of them add up in 63 bits."""
    scale = float(1 << (_SUM_BITS - choices.bit_length()))
    return (gaps * rate).exp_().mul_(scale).to(torch.int64)


def _kept(gaps: Tensor, steps: Steps, asked: Asked) -> _Kept:
    """What the filters leave of `gaps` [R, V]."""
    reach = asked.reach if steps.min_p else None
    if not steps.ranks:
        return _Kept(far=reach)
    ranked = gaps.topk(steps.selected, largest=False).values if steps.selected else gaps.sort(dim=-1).values
    edge = ranked.gather(1, asked.last) if steps.top_k else None
    if not (steps.top_p or steps.typical):
        return _Kept(far=_nearest(edge, reach))
    weights = _weighed(ranked, asked.rate, steps.choices)
    if edge is not None:
        weights.masked_fill_(ranked > edge, 0)
        if steps.selected:
            _add_ties(weights, gaps, ranked, edge, asked.last)
    near: Tensor | None = None
    if steps.temperature_last and steps.typical:
        near, far = _typical(ranked, weights, asked.typical_p)
        if steps.top_p:
            weights.masked_fill_((ranked < near).logical_or_(ranked > far), 0)
            far = _nucleus(ranked, weights, asked.top_p)
        return _Kept(near, _nearest(far, edge, None if reach is None else near + reach))
    nucleus = _nucleus(ranked, weights, asked.top_p) if steps.top_p else None
    limit = _nearest(nucleus, reach)
    if not steps.typical:
        return _Kept(far=_nearest(edge, limit))
    if limit is not None:
        weights.masked_fill_(ranked > limit, 0)
    near, far = _typical(ranked, weights, asked.typical_p)
    return _Kept(near, _nearest(far, edge, limit))


def _nearest(*limits: Tensor | None) -> Tensor | None:
    """The smallest of limits [R, 1], of those that there are."""
    known = [limit for limit in limits if limit is not None]
    return reduce(torch.minimum, known) if known else None


def _add_ties(weights: Tensor, gaps: Tensor, ranked: Tensor, edge: Tensor, last: Tensor) -> None:
    """Add to `weights` [R, C], at the place `last`, those of tokens that tie with it and were not selected."""
    missing = (gaps <= edge).sum(-1, keepdim=True) - (ranked <= edge).sum(-1, keepdim=True)
    weights.scatter_add_(1, last, missing * weights.gather(1, last))


def _nucleus(gaps: Tensor, weights: Tensor, share: Tensor) -> Tensor:
    """The smallest of `gaps` [R, C], in order, up to which `weights` reach their `share` [R, 1]: [R, 1]."""
    running = weights.cumsum(-1)
    place = torch.searchsorted(running, _part(running, share))
    return gaps.gather(1, place.clamp_(max=gaps.shape[1] - 1))


def _typical(gaps: Tensor, weights: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """The smallest and largest of `gaps` [R, C], in order, among those nearest to the mean one whose weights reach
    `share` [R, 1]: [R, 1] each. Surprise is the gap / temperature plus a constant, so that gaps tell the order.

    The mass as near as each token lies between two places, which a search finds: no second sort.
    """
    gaps = gaps.clamp(max=_LARGEST)  # 0 · infinity is no number
    running = torch.nn.functional.pad(weights.cumsum(-1), (1, 0))
    mean = (weights * gaps.double()).sum(-1, keepdim=True) / running[:, -1:]
    offsets = gaps - mean.float()
    distance = offsets.abs()
    begin = torch.searchsorted(offsets, -distance)
    end = torch.searchsorted(offsets, distance, right=True)
    enough = running.gather(1, end) - running.gather(1, begin) >= _part(running, share)
    edge = distance.masked_fill_(enough.logical_not_(), torch.inf).amin(-1, keepdim=True)
    first = torch.searchsorted(offsets, -edge).clamp_(max=gaps.shape[1] - 1)
    last = torch.searchsorted(offsets, edge, right=True).sub_(1).clamp_(min=0)
    return gaps.gather(1, first), gaps.gather(1, last)


def _part(running: Tensor, share: Tensor) -> Tensor:
    """What a running sum [R, C] has to reach for `share` [R, 1] of its end: [R, 1], more than 0."""
    return (running[:, -1:] * share).ceil_().to(torch.int64)
