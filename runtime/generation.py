"""Generation: an answer as an iterator of events. It knows no device, thread, window or terminal."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

from runtime.backends.base import S, checked_tokens
from runtime.detokenizer import Detokenizer
from runtime.errors import OptionError
from runtime.sampling import SamplingConfig, sample
from runtime.session import Session, never
from runtime.tokenizer import Tokenizer

FinishReason = Literal["stop", "length", "context", "cancelled"]
"""`stop`: a stop text or a control token; `length`: max_new_tokens; `context`: no room left; `cancelled`: asked to."""


@dataclass(frozen=True)
class Prefilled:
    """The prompt has been read; the first token is next."""

    prompt_tokens: int
    reused_tokens: int  # of these, already held by the session
    seconds: float


@dataclass(frozen=True)
class TextDelta:
    """More of the answer: whole characters, never a part of a stop text."""

    text: str
    tokens: int  # written so far, those included whose text is held back


@dataclass(frozen=True, kw_only=True)
class Stats:
    """Figures of one answer. The time that the caller took between events is not counted."""

    prompt_tokens: int
    reused_tokens: int  # of these, already held by the session
    fed_tokens: int  # the rest, or as much of it as was read before cancelling
    new_tokens: int  # chosen by the model, the control token that ended the answer included
    prefill_seconds: float
    first_token_seconds: float | None  # from the call to the first token; None where none was written
    decode_seconds: float  # from the first token to the last

    @property
    def prefill_tokens_per_second(self) -> float | None:
        """Prompt tokens fed a second; None where none was."""
        return self.fed_tokens / self.prefill_seconds if self.fed_tokens and self.prefill_seconds > 0 else None

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


Event = Prefilled | TextDelta | Finished


def generate(
    session: Session[S],
    prompt: Sequence[int],
    tokenizer: Tokenizer,
    *,
    sampling: SamplingConfig | None = None,
    max_new_tokens: int | None = None,
    stop: Sequence[str] = (),
    stop_ids: Collection[int] = (),
    trim: bool = False,
    cancelled: Callable[[], bool] = never,
) -> Iterator[Event]:
    """Answer `prompt`. Events: `Prefilled`, any number of `TextDelta`, one `Finished` (cancelled early: only this).

    `max_new_tokens` None writes until the context is full. Control tokens always end the answer and have no text;
    `stop_ids` adds others. `trim` leaves out white space around the answer. `cancelled` is asked before every token
    and every piece of the prompt. Arguments are checked at the call, before anything is fed: ContextFullError for a
    prompt longer than the context, OptionError for a bad option. Whenever the iterator is closed, the session holds
    the prompt and what was written, and can go on.
    """
    checked_tokens(prompt, length=0, context_length=session.context_length, vocab_size=session.backend.vocab_size)
    if max_new_tokens is not None and (type(max_new_tokens) is not int or max_new_tokens < 1):
        raise OptionError(f"max_new_tokens must be a whole number above 0, not {max_new_tokens!r}.")
    writer = _Writer(
        session,
        tokenizer,
        Detokenizer(tokenizer, stop=stop, trim=trim),
        sampling or SamplingConfig(),
        tokenizer.control_ids | frozenset(stop_ids),
    )
    return writer.run(list(prompt), max_new_tokens, cancelled)


class _Writer:
    """One answer on its way: what has been written, and the clock."""

    def __init__(
        self,
        session: Session[S],
        tokenizer: Tokenizer,
        detokenizer: Detokenizer,
        sampling: SamplingConfig,
        end_ids: frozenset[int],
    ) -> None:
        self._session = session
        # A padded vocabulary (rw-1b) scores ids that have no text: they cannot be chosen.
        self._choices = min(tokenizer.vocab_size, session.backend.vocab_size)
        self._detokenizer = detokenizer
        self._sampling = sampling
        self._chance = sampling.generator()
        self._end_ids = end_ids
        self._text: list[str] = []
        self._tokens: list[int] = []
        self._seconds: list[float] = []  # a chosen token, its feeding included

    def run(self, prompt: list[int], limit: int | None, cancelled: Callable[[], bool]) -> Iterator[Event]:
        begun = perf_counter()
        feed = self._session.set_prompt(prompt, cancelled=cancelled)
        prefill_seconds = perf_counter() - begun
        reason: FinishReason = "cancelled"
        if feed.complete:
            yield Prefilled(len(prompt), feed.reused_tokens, prefill_seconds)
            reason = yield from self._write(limit, cancelled)
            yield from self._delta(self._detokenizer.finish())
        stats = Stats(
            prompt_tokens=len(prompt),
            reused_tokens=feed.reused_tokens,
            fed_tokens=feed.fed_tokens,
            new_tokens=len(self._seconds),
            prefill_seconds=prefill_seconds,
            first_token_seconds=prefill_seconds + self._seconds[0] if self._seconds else None,
            decode_seconds=sum(self._seconds[1:]),
        )
        yield Finished(reason, "".join(self._text), tuple(self._tokens), stats)

    def _write(self, limit: int | None, cancelled: Callable[[], bool]) -> Generator[TextDelta, None, FinishReason]:
        room = self._session.room_left
        while not cancelled():
            if len(self._tokens) == limit:
                return "length"
            if len(self._tokens) >= room:
                return "context"
            token = self._next()
            if token in self._end_ids:
                return "stop"
            self._tokens.append(token)
            yield from self._delta(self._detokenizer.push(token))
            if self._detokenizer.stop_text is not None:
                return "stop"
        return "cancelled"

    def _next(self) -> int:
        """Feed the token before, which nobody needed until now, and choose the next."""
        begun = perf_counter()
        if self._tokens:
            self._session.extend(self._tokens[-1:])
        history = self._session.tokens if self._sampling.repetition_penalty != 1 else ()
        token = sample(self._session.last_logits[: self._choices], history, self._sampling, self._chance)
        self._seconds.append(perf_counter() - begun)
        return token

    def _delta(self, text: str) -> Iterator[TextDelta]:
        if text:
            self._text.append(text)
            yield TextDelta(text, len(self._tokens))
