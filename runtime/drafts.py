"""Prompt lookup: guesses of what comes next, copied from where the last few tokens stood before. No second model.

(Saxena 2023, "Prompt Lookup Decoding".) A guess costs nothing but its check, and the check is not free: who guesses
wrong waits longer before the next guess, counted in tokens, so that the same seed takes the same way every time.
"""

from __future__ import annotations

from collections.abc import Sequence

_LONGEST, _SHORTEST = 4, 2  # tokens of the ending that must have stood before; the longest that did is taken
_FIRST, _MOST = 4, 15  # tokens of a guess: few at first, twice as many after each that was right throughout
_PATIENCE = 64  # tokens without a guess, at most, after wrong ones


class PromptLookup:
    """Guesses for one answer. Every token, of the prompt and the answer, is pushed once, in order."""

    def __init__(self, tokens: Sequence[int] = ()) -> None:
        self._tokens: list[int] = []
        # For each ending of a length, the place after its last occurrence but the current one.
        self._places: dict[tuple[int, ...], int] = {}
        self._late: list[tuple[tuple[int, ...], int]] = []  # endings whose next token is not known yet
        self._size = _FIRST
        self._pause = 0  # tokens until the next guess
        self._penalty = 1  # tokens that a wrong guess costs
        for token in tokens:
            self.push(token)
        self._pause = 0

    def push(self, token: int) -> None:
        """`token` comes next."""
        self._tokens.append(token)
        self._pause = max(0, self._pause - 1)
        for ending, place in self._late:
            self._places[ending] = place
        end = len(self._tokens)
        self._late = [
            (tuple(self._tokens[end - size :]), end) for size in range(_SHORTEST, _LONGEST + 1) if size <= end
        ]

    def guess(self, limit: int) -> list[int]:
        """Tokens that may come next, `limit` at most; none where the ending is new or guesses were wrong of late."""
        if self._pause or limit < 1:
            return []
        for ending, _ in reversed(self._late):
            place = self._places.get(ending)
            if place is not None:
                # A short ending may have stood there by chance: less is staked on it.
                most = self._size if len(ending) == _LONGEST else len(ending) - 1
                return self._tokens[place : place + min(limit, self._size, most)]
        return []

    def checked(self, guessed: int, accepted: int) -> None:
        """Of `guessed` tokens the model chose the first `accepted` too: guess longer, or wait."""
        if accepted == guessed:
            self._size = min(_MOST, 2 * self._size)
        elif accepted:
            self._size = max(_FIRST, accepted)
        if accepted:
            self._penalty = 1
        else:
            self._size = _FIRST
            self._pause = self._penalty
            self._penalty = min(_PATIENCE, 2 * self._penalty)
