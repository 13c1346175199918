"""Generation: an answer as an iterator of events. It knows no device, thread, window or terminal."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from time import perf_counter
from typing import Any

from runtime.arguments import check_callable, check_kind, checked_ids, checked_texts
from runtime.backends.base import S, checked_tokens
from runtime.decoding import Chosen, Decoder
from runtime.detokenizer import Detokenizer
from runtime.events import Event, Finished, FinishReason, Prefilled, Stats, TextDelta
from runtime.grammar import Matcher
from runtime.options import GenerationOptions
from runtime.sampling import TokenLogprobs
from runtime.session import Session, never
from runtime.tokenizer import Tokenizer

DEFAULT_OPTIONS = GenerationOptions()


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
    check_kind("tokenizer", tokenizer, Tokenizer, "a Tokenizer")
    check_kind("options", options, GenerationOptions, "a GenerationOptions")
    check_kind("trim", trim, bool, "True or False")
    check_kind("goes_on", goes_on, bool, "True or False")
    check_callable("cancelled", cancelled)
    stop, stop_ids = checked_texts("stop", stop), checked_ids("stop_ids", stop_ids)
    checked_tokens(prompt, length=0, context_length=session.context_length, vocab_size=session.backend.vocab_size)
    matcher = None if options.grammar is None else Matcher(options.grammar, tokenizer, leading_space=trim)
    stops = (*options.stop, *(() if matcher else stop))
    writer = _Writer(
        session,
        tokenizer,
        Detokenizer(tokenizer, stop=stops, trim=trim, goes_on=goes_on),
        options,
        tokenizer.control_ids | frozenset(stop_ids),
        matcher,
    )
    return writer.run(list(prompt), cancelled)


class _Writer:
    """One answer on its way: what has been written, and the clock."""

    def __init__(
        self,
        session: Session[S],
        tokenizer: Tokenizer,
        detokenizer: Detokenizer,
        options: GenerationOptions,
        end_ids: frozenset[int],
        matcher: Matcher | None,
    ) -> None:
        self._session = session
        # A padded vocabulary (rw-1b) scores ids that have no text: they cannot be chosen.
        self._choices = min(tokenizer.vocab_size, session.backend.vocab_size)
        self._detokenizer = detokenizer
        self._options = options
        self._end_ids = end_ids
        self._matcher = matcher
        self._text: list[str] = []
        self._tokens: list[int] = []
        self._logprobs: list[TokenLogprobs] = []
        self._told = 0  # of the log-probabilities, those that a delta carried

    def run(self, prompt: list[int], cancelled: Callable[[], bool]) -> Iterator[Event]:
        begun = perf_counter()
        feed = self._session.set_prompt(prompt, cancelled=cancelled)
        prefill_seconds = perf_counter() - begun
        reason: FinishReason = "cancelled"
        decoder: Decoder[Any] | None = None
        if feed.complete:
            decoder = Decoder(
                self._session, self._options, choices=self._choices, end_ids=self._end_ids, matcher=self._matcher
            )
            try:
                yield Prefilled(len(prompt), feed.reused_tokens, prefill_seconds)
                reason = yield from self._write(decoder, cancelled)
            finally:
                decoder.settle()
            yield from self._delta(self._detokenizer.finish())
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

    def _write(self, decoder: Decoder[Any], cancelled: Callable[[], bool]) -> Generator[TextDelta, None, FinishReason]:
        room = self._session.room_left
        most = self._options.max_new_tokens
        while not cancelled():
            if len(self._tokens) == most:
                return "length"
            if len(self._tokens) >= room:
                return "context"
            limit = room if most is None else min(room, most)
            chosen: Chosen = decoder.next(limit - len(self._tokens))
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
