"""Events: what an answer consists of, in order. Every engine gives the same ones, wherever its model runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from runtime.sampling import TokenLogprobs

FinishReason = Literal["stop", "length", "context", "cancelled"]
"""`stop`: a stop text or a control token; `length`: max_new_tokens; `context`: no room left; `cancelled`: asked to."""


@dataclass(frozen=True)
class Trimmed:
    """The conversation was longer than its room in the context: this much was left out. Comes first, if at all."""

    policy: str  # the context policy that chose what to leave out
    messages: int  # whole messages; 0 where only text within one was cut
    tokens: int


@dataclass(frozen=True)
class Prefilled:
    """The prompt has been read; the first token is next."""

    prompt_tokens: int
    reused_tokens: int  # of these, already held by the session
    seconds: float


@dataclass(frozen=True)
class ReasoningDelta:
    """More of what a model thinks before it answers, where a service tells: no part of the answer, and not sent back
    in later turns."""

    text: str


@dataclass(frozen=True)
class TextDelta:
    """More of the answer: whole characters, never a part of a stop text."""

    text: str
    tokens: int  # written so far, those included whose text is held back
    logprobs: tuple[TokenLogprobs, ...] = ()  # of the tokens since the last delta, where they were asked for


@dataclass(frozen=True, kw_only=True)
class Stats:
    """Figures of one answer. The time that the caller took between events is not counted."""

    prompt_tokens: int
    reused_tokens: int  # of these, already held by the session
    fed_tokens: int  # the rest, or as much of it as was read before cancelling
    new_tokens: int  # chosen by the model, the control token that ended the answer included
    feeds: int  # calls of the model that fed written tokens; drafts make it fewer than the tokens
    drafted_tokens: int  # guessed by prompt lookup
    accepted_tokens: int  # of these, what the model chose too
    prefill_seconds: float
    first_token_seconds: float | None  # from the call to the first token; None where none was written
    decode_seconds: float  # from the first token to the last

    @property
    def prefill_tokens_per_second(self) -> float | None:
        """Prompt tokens fed a second; None where none was."""
        return self.fed_tokens / self.prefill_seconds if self.fed_tokens and self.prefill_seconds > 0 else None

    @property
    def tokens_per_feed(self) -> float | None:
        """Tokens chosen for each call of the model after the prompt; None where none was needed."""
        return (self.new_tokens - 1) / self.feeds if self.feeds else None

    @property
    def tokens_per_second(self) -> float | None:
        """Tokens a second after the first one; None for fewer than two."""
        return (self.new_tokens - 1) / self.decode_seconds if self.new_tokens > 1 and self.decode_seconds > 0 else None


@dataclass(frozen=True)
class Finished:
    """The last event, exactly once. `text` is all the deltas together.

    `tokens` are the ids that the model wrote, without the control token that ended the answer, yet with those of a
    stop text: `Message("assistant", finished.text, finished.tokens)` sorts that out.
    """

    reason: FinishReason
    text: str
    tokens: tuple[int, ...]
    stats: Stats
    logprobs: tuple[TokenLogprobs, ...] = ()  # one a token of `tokens`, where they were asked for


Event = Trimmed | Prefilled | ReasoningDelta | TextDelta | Finished
