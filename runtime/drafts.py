"""Prompt lookup: guesses of what comes next, copied from where the last few tokens stood before. No second model.

(Saxena 2023, "Prompt Lookup Decoding".) A guess costs its check, right or wrong. How often copies go on as before is
seen without staking anything: each token that the model writes is compared with what stood after the same ending. So
many tokens are guessed as promise the most for what their check costs. No clock is asked: the same seed takes the same
way every time.
"""

from __future__ import annotations

from collections.abc import Sequence

from runtime.backends.base import DraftCost

_SIZES = (2, 3, 4)  # tokens of the ending that must have stood before; the longest that did is taken
_RATES = {2: 0.4, 3: 0.6, 4: 0.8}  # of such endings, those that go on as before: a first belief
_MEMORY = 8  # tokens over which what is seen replaces the belief
_MOST = 15  # tokens of a guess


class PromptLookup:
    """Guesses for one answer. `tokens` were read; every token that is written is pushed once, in order."""

    def __init__(self, tokens: Sequence[int] = (), *, cost: DraftCost) -> None:
        self._tokens = list(tokens)
        self._cost = cost
        self._rates = dict(_RATES)
        # For each ending, the place after its last occurrence but the current one.
        self._places: dict[int, dict[tuple[int, ...], int]] = {}
        for size in _SIZES:
            endings = zip(*(self._tokens[shift:] for shift in range(size)), strict=False)
            self._places[size] = dict(zip(endings, range(size, len(self._tokens)), strict=False))
        self._look()

    def push(self, token: int) -> None:
        """`token` comes next."""
        if self._matched:
            hit = self._tokens[self._place] == token
            self._rates[self._matched] += (hit - self._rates[self._matched]) / _MEMORY
        for ending in self._endings:
            self._places[len(ending)][ending] = len(self._tokens)
        self._tokens.append(token)
        self._look()

    def guess(self, limit: int) -> list[int]:
        """Tokens that may come next, `limit` at most; none where the ending is new or unlikely to go on as before."""
        count, best = 0, 1.0  # tokens for the price of one without a guess
        chance = tokens = price = 1.0
        for size in range(min(limit, _MOST, len(self._tokens) - self._place) if self._matched else 0):
            chance *= self._rates[min(self._matched + size, _SIZES[-1])]  # one that is right makes the ending longer
            tokens += chance
            price += self._cost.more if size else self._cost.first
            if tokens / price > best:
                count, best = size + 1, tokens / price
        return self._tokens[self._place : self._place + count]

    def _look(self) -> None:
        """Find where the current ending stood before: `_matched` of its tokens, 0 for none, before `_place`."""
        self._endings = [tuple(self._tokens[-size:]) for size in _SIZES if size <= len(self._tokens)]
        self._matched, self._place = 0, 0
        for ending in self._endings:
            place = self._places[len(ending)].get(ending)
            if place is None:  # then no longer one did either
                break
            self._matched, self._place = len(ending), place
