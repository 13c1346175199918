"""Decoding: the tokens of one answer, one after the other, each chosen from the model's scores.

With guesses (drafts.py) a call of the model may serve several tokens: the token to feed and the guesses after it are
fed together, and every place is scored. A guess stands where the choice from the scores before it is the same token,
so what is written is what would be written without guesses, for sampling as for the likeliest token.

Where nothing else wants the scores, the backend chooses (chooser.py), perhaps on a device, and only ids come back.
Grammars and log-probabilities look at the scores themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from time import perf_counter
from typing import Generic

import numpy as np
import numpy.typing as npt

from runtime.backends.base import Logits, S
from runtime.chooser import Chooser
from runtime.drafts import PromptLookup
from runtime.grammar import Matcher
from runtime.need import Feeding
from runtime.options import GenerationOptions
from runtime.sampling import TokenLogprobs, log_probabilities
from runtime.session import Session


@dataclass(frozen=True)
class Chosen:
    """A token that the model wrote, and how likely it and others were, if that was asked for."""

    token: int
    logprobs: TokenLogprobs | None = None


class Decoder(Generic[S]):
    """Chooses the tokens after what `session` holds. `settle` when done: the session may hold guesses until then."""

    def __init__(
        self,
        session: Session[S],
        options: GenerationOptions,
        *,
        choices: int,
        end_ids: Collection[int],
        matcher: Matcher | None = None,
    ) -> None:
        """`choices`: the first so many ids can be chosen. `end_ids` end the answer and are never guessed."""
        self._session = session
        self._options = options
        self._choices = choices
        self._end_ids = frozenset(end_ids)
        self._matcher = matcher
        self._history = list(session.tokens)  # what was read and written; the session may lag behind or run ahead
        self._prompt_length = len(self._history)
        self._chooser = Chooser(options.sampling, self._history, choices=choices)
        self._blind = matcher is None and options.logprobs is None  # no one but the chooser looks at scores
        self._draft_cost = session.backend.draft_cost if options.prompt_lookup else None
        self._lookup: PromptLookup | None = None  # made at the second token: the first need not wait for it
        self._rows: npt.NDArray[np.float32] = np.empty((0, 0), np.float32)  # scores of places fed ahead
        self._ahead: list[int] = []  # or what was chosen from them
        self._guesses: list[int] = []
        self._used = 0  # of the guesses, those that stood
        self.seconds: list[float] = []  # a chosen token, its feeding included
        self.feeds = 0
        self.drafted = 0
        self.accepted = 0

    def next(self, limit: int) -> Feeding[S, Chosen]:
        """The next token, for a driver that serves the needs. `limit`: tokens that may still be written, this one
        included; at least 1."""
        begun = perf_counter()
        logprobs = None
        if self._blind:
            token = yield from self._chosen(limit)
        else:
            logits = (yield from self._scores(limit))[: self._choices]
            token = self._chooser.one(logits, None if self._matcher is None else self._matcher.allowed(len(logits)))
            count = self._options.logprobs
            logprobs = None if count is None else log_probabilities(logits, token, count)
        self._push(token)
        self.seconds.append(perf_counter() - begun)
        return Chosen(token, logprobs)

    def settle(self) -> None:
        """Take guesses that did not stand out of the session."""
        self._session.truncate(min(len(self._session.tokens), len(self._history)))

    def _scores(self, limit: int) -> Feeding[S, Logits]:
        """Scores of the next token, fed or found among the places fed ahead."""
        if len(self._rows):
            ahead: Logits = self._rows[self._used]
            return ahead
        if len(self._history) == self._prompt_length:
            return self._session.last_logits
        tokens = self._fed(limit)
        if not self._guesses:
            return (yield from self._session.extending(tokens))
        self._rows = yield from self._session.extending_all(tokens)
        first: Logits = self._rows[0]
        return first

    def _chosen(self, limit: int) -> Feeding[S, int]:
        """The next token, fed and chosen by the backend, or found among those chosen at the places fed ahead."""
        if not self._ahead:
            if len(self._history) == self._prompt_length:
                return self._chooser.one(self._session.last_logits)
            self._ahead = yield from self._session.choosing(self._fed(limit), self._chooser)
        return self._ahead.pop(0)

    def _fed(self, limit: int) -> list[int]:
        """What to feed next: the last token, and guesses."""
        self._guesses = self._guess(limit)
        self._used = 0
        self.feeds += 1
        self.drafted += len(self._guesses)
        return [self._history[-1], *self._guesses]

    def _guess(self, limit: int) -> list[int]:
        if self._draft_cost is None:
            return []
        self._lookup = self._lookup or PromptLookup(self._history, cost=self._draft_cost)
        # The last place is scored, too: `limit` tokens need one guess less.
        guesses = self._lookup.guess(min(limit - 1, self._session.room_left - 1))
        return list(_until(guesses, self._end_ids))

    def _push(self, token: int) -> None:
        self._history.append(token)
        if self._matcher is not None:
            self._matcher.accept(token)
        if self._lookup is not None:
            self._lookup.push(token)
        if not self._guesses:
            return
        if self._used < len(self._guesses) and token == self._guesses[self._used]:
            self._used += 1
            self.accepted += 1
            return
        self._rows, self._guesses = self._rows[:0], []
        self._session.truncate(len(self._history) - 1)


def _until(tokens: Iterable[int], ends: frozenset[int]) -> Iterable[int]:
    for token in tokens:
        if token in ends:
            return
        yield token
