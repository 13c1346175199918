"""Generation: an answer as an iterator of events. It knows no device, thread, window or terminal."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from time import perf_counter
from typing import Any

from runtime.arguments import check_callable, check_kind, checked_ids, checked_texts
from runtime.backends.base import Backend, S, checked_tokens
from runtime.decoding import Decoder
from runtime.detokenizer import Detokenizer
from runtime.events import Event, Finished, FinishReason, Prefilled, Stats, TextDelta
from runtime.grammar import Matcher
from runtime.need import Need, served
from runtime.options import GenerationOptions
from runtime.sampling import TokenLogprobs
from runtime.session import Session, never
from runtime.tokenizer import Tokenizer

DEFAULT_OPTIONS = GenerationOptions()

Steps = Generator[Event | Need[S], Any, None]
"""An answer on its way: its events, and needs, whose replies are sent to it (need.py)."""


def generate(
    session: Session[S],
    prompt: Sequence[int],
    tokenizer: Tokenizer,
    options: GenerationOptions = DEFAULT_OPTIONS,
    *,
    stop: Sequence[str] = (),
    stop_ids: Collection[int] = (),
    trim: bool = False,
    goes_on: bool = False,
    cancelled: Callable[[], bool] = never,
) -> Iterator[Event]:
    """Answer `prompt`. Events: `Prefilled`, any number of `TextDelta`, one `Finished` (cancelled early: only this).

    `stop` are the chat format's texts that end an answer, beside those of `options`; with a grammar they are left out,
    as the grammar says where an answer ends. Control tokens always end the answer and have no text; `stop_ids` adds
    others. `trim` leaves out white space around the answer; one that `goes_on` from the prompt's last words keeps that
    before it. The context policy of `options` is the engine's affair: `prompt` must fit. `cancelled` is asked before
    every token and every piece of the prompt. Arguments are checked at the call, before anything is fed:
    ContextFullError for a prompt longer than the context, OptionError for a bad option or an argument of the wrong
    kind. Whenever the iterator is closed, the session holds the prompt and what was written, and can go on.
    """
    check_kind("session", session, Session, "a Session")
    writer = Writer(tokenizer, options, stop=stop, stop_ids=stop_ids, trim=trim, goes_on=goes_on)
    return served(session.backend, writer.answer(session, prompt, cancelled=cancelled))


def choosable(tokenizer: Tokenizer, backend: Backend[Any]) -> int:
    """Tokens that an answer is chosen from, the first ids of both: a padded vocabulary (rw-1b) scores ids that have no
    text."""
    return min(tokenizer.vocab_size, backend.vocab_size)


class Writer:
    """What writes one answer: its options, what ends it, and what has been written of it. For one use."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        options: GenerationOptions = DEFAULT_OPTIONS,
        *,
        stop: Sequence[str] = (),
        stop_ids: Collection[int] = (),
        trim: bool = False,
        goes_on: bool = False,
    ) -> None:
        """Arguments as those of `generate`, and refused alike."""
        check_kind("tokenizer", tokenizer, Tokenizer, "a Tokenizer")
        check_kind("options", options, GenerationOptions, "a GenerationOptions")
        check_kind("trim", trim, bool, "True or False")
        check_kind("goes_on", goes_on, bool, "True or False")
        stop, stop_ids = checked_texts("stop", stop), checked_ids("stop_ids", stop_ids)
        lead = trim and not goes_on
        self._matcher = None if options.grammar is None else Matcher(options.grammar, tokenizer, leading_space=lead)
        if self._matcher:  # the answer is what the grammar took, white space around it included
            self._detokenizer = Detokenizer(tokenizer, stop=options.stop, skip_space=self._matcher.leading_space)
        else:
            self._detokenizer = Detokenizer(tokenizer, stop=(*options.stop, *stop), trim=trim, goes_on=goes_on)
        self._tokenizer = tokenizer
        self._options = options
        self._end_ids = tokenizer.control_ids | frozenset(stop_ids)
        self._text: list[str] = []
        self._tokens: list[int] = []
        self._logprobs: list[TokenLogprobs] = []
        self._told = 0  # of the log-probabilities, those that a delta carried

    def answer(self, session: Session[S], prompt: Sequence[int], *, cancelled: Callable[[], bool] = never) -> Steps[S]:
        """The events of `generate`, and between them what `session` needs for them. Raises at the call as that."""
        check_callable("cancelled", cancelled)
        backend = session.backend
        checked_tokens(prompt, length=0, context_length=session.context_length, vocab_size=backend.vocab_size)
        self._options.sampling.check_vocabulary(choosable(self._tokenizer, backend))
        return self._steps(session, list(prompt), cancelled)

    def _steps(self, session: Session[S], prompt: list[int], cancelled: Callable[[], bool]) -> Steps[S]:
        begun = perf_counter()
        feed = yield from session.reading(prompt, cancelled=cancelled)
        prefill_seconds = perf_counter() - begun
        reason: FinishReason = "cancelled"
        decoder: Decoder[S] | None = None
        if feed.complete:
            choices = choosable(self._tokenizer, session.backend)
            decoder = Decoder(session, self._options, choices=choices, end_ids=self._end_ids, matcher=self._matcher)
            try:
                yield Prefilled(len(prompt), feed.reused_tokens, prefill_seconds)
                reason = yield from self._write(decoder, session.room_left, cancelled)
            finally:
                decoder.settle()
            yield from self._delta(self._detokenizer.finish(cut=reason != "stop"))
        seconds = decoder.seconds if decoder else []
        stats = Stats(
            prompt_tokens=len(prompt),
            reused_tokens=feed.reused_tokens,
            fed_tokens=feed.fed_tokens,
            new_tokens=len(seconds),
            feeds=decoder.feeds if decoder else 0,
            drafted_tokens=decoder.drafted if decoder else 0,
            accepted_tokens=decoder.accepted if decoder else 0,
            prefill_seconds=prefill_seconds,
            first_token_seconds=prefill_seconds + seconds[0] if seconds else None,
            decode_seconds=sum(seconds[1:]),
        )
        yield Finished(reason, "".join(self._text), tuple(self._tokens), stats, tuple(self._logprobs))

    def _write(
        self, decoder: Decoder[S], room: int, cancelled: Callable[[], bool]
    ) -> Generator[Event | Need[S], Any, FinishReason]:
        most = self._options.max_new_tokens
        while not cancelled():
            if len(self._tokens) == most:
                return "length"
            if len(self._tokens) >= room:
                return "context"
            limit = room if most is None else min(room, most)
            chosen = yield from decoder.next(limit - len(self._tokens))
            if chosen.token in self._end_ids:
                return "stop"
            self._tokens.append(chosen.token)
            if chosen.logprobs is not None:
                self._logprobs.append(chosen.logprobs)
            yield from self._delta(self._detokenizer.push(chosen.token))
            if self._detokenizer.stop_text is not None:
                return "stop"
        return "cancelled"

    def _delta(self, text: str) -> Iterator[TextDelta]:
        if text:
            self._text.append(text)
            news = tuple(self._logprobs[self._told :])
            self._told = len(self._logprobs)
            yield TextDelta(text, len(self._tokens), news)
