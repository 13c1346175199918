"""Batch: answers written together are those written one by one, whatever else is asked and whoever fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.backends.base import Logits
from runtime.batch import Batch
from runtime.errors import DeviceMemoryError, ModelOutputError
from runtime.events import Event, Finished, Prefilled, TextDelta
from runtime.generation import Writer, generate
from runtime.options import GenerationOptions, Grammar
from runtime.sampling import SamplingConfig
from runtime.session import Session
from tests.runtime.conftest import NgramBackend, TokenState
from tests.runtime.test_generation import SMALL

LEARNT = [
    SMALL.encode(
        "the quick brown fox jumps over the lazy dog; the end of text is near, is it not? the quick brown fox"
    ),
    [*SMALL.encode("Paris is the capital of France. Paris, naïve 🙂!"), SMALL.eos_id],
]
GREEDY = GenerationOptions(sampling=SamplingConfig(temperature=0), max_new_tokens=20)
WAYS = [
    GREEDY,
    replace(GREEDY, prompt_lookup=False, max_new_tokens=7),
    replace(GREEDY, sampling=SamplingConfig(temperature=1.3, seed=5)),
    replace(GREEDY, sampling=SamplingConfig(seed=6, order="llama.cpp", min_p=0.05, presence_penalty=0.3)),
    replace(GREEDY, logprobs=2),
    replace(GREEDY, grammar=Grammar(kind="regex", text="[a-z ]{1,12}")),
]


def backend() -> NgramBackend:
    return NgramBackend(LEARNT, vocab_size=SMALL.vocab_size, context_length=160, chunk_length=16)


class Asker:
    """One who wants an answer."""

    def __init__(self, model: NgramBackend, prompt: Sequence[int], options: GenerationOptions = GREEDY) -> None:
        self.session: Session[TokenState] = Session(model)
        self.prompt = list(prompt)
        self.options = options
        self.told: list[Event | Exception] = []
        self.enough: int | None = None  # events after which no more are wanted
        self.ended = 0

    def ask(self, batch: Batch[TokenState]) -> None:
        steps = Writer(SMALL, self.options).answer(self.session, self.prompt, cancelled=self.cancelled)
        batch.add(steps, self.told.append, self.cancelled, self.end)

    def cancelled(self) -> bool:
        return self.enough is not None and len(self.told) >= self.enough

    def end(self) -> None:
        self.ended += 1

    @property
    def finished(self) -> Finished:
        last = self.told[-1]
        assert isinstance(last, Finished)
        assert self.ended == 1
        return last


def write(batch: Batch[TokenState]) -> None:
    turns = 0
    while len(batch):
        batch.turn()
        turns += 1
        assert turns < 2000


def alone(asker: Asker) -> Finished:
    """The answer that `asker` would get of a model that does nothing else."""
    *_, last = generate(Session(backend()), asker.prompt, SMALL, asker.options)
    assert isinstance(last, Finished)
    return last


def same(one: Finished, other: Finished) -> bool:
    return (one.reason, one.text, one.tokens, one.logprobs) == (other.reason, other.text, other.tokens, other.logprobs)


@settings(max_examples=40, deadline=None)
@given(
    asked=st.lists(
        st.tuples(
            st.integers(0, 30), st.sampled_from(LEARNT), st.integers(1, 40), st.sampled_from(WAYS), st.integers(0, 12)
        ),
        min_size=1,
        max_size=6,
    ),
    stopped=st.lists(st.none() | st.integers(0, 6), min_size=6, max_size=6),
)
def test_answers_that_come_and_go_are_those_of_one_by_one(asked: list[Any], stopped: list[int | None]) -> None:
    model = backend()
    batch = Batch(model)
    askers = []
    for (begin, text, size, options, turns), enough in zip(asked, stopped, strict=False):
        asker = Asker(model, text[begin : begin + size] or text[:1], options)
        asker.enough = enough
        askers.append(asker)
        asker.ask(batch)
        for _ in range(turns):
            batch.turn()
    write(batch)
    for asker in askers:
        wanted = alone(asker)
        if asker.finished.reason == "cancelled":
            assert asker.enough is not None
            assert asker.finished.tokens == wanted.tokens[: len(asker.finished.tokens)]
        else:
            assert same(asker.finished, wanted)
            assert sum(isinstance(event, Prefilled) for event in asker.told) == 1
        texts = [event.text for event in asker.told if isinstance(event, TextDelta)]
        assert "".join(texts) == asker.finished.text


def test_tokens_of_all_answers_are_chosen_in_one_call() -> None:
    sizes: list[int] = []

    class Counting(NgramBackend):
        def choose_batch(self, asks: Any) -> Any:
            sizes.append(len(asks))
            return super().choose_batch(asks)

    model = Counting(LEARNT, vocab_size=SMALL.vocab_size)
    batch = Batch(model)
    plain = replace(GREEDY, prompt_lookup=False, max_new_tokens=9)
    askers = [Asker(model, LEARNT[0][:size], plain) for size in (3, 4, 5)]
    for asker in askers:
        asker.ask(batch)
    write(batch)
    # The first token is chosen by the prompt's own scores.
    assert sizes == [3] * 8
    assert {len(asker.finished.tokens) for asker in askers} == {9}


def test_a_long_prompt_is_read_in_pieces_between_which_others_write_on() -> None:
    model = backend()
    batch = Batch(model)
    writing = Asker(model, LEARNT[0][:4], replace(GREEDY, prompt_lookup=False, max_new_tokens=60))
    writing.ask(batch)
    batch.turn()
    reading = [Asker(model, (LEARNT[0] * 5)[:100]), Asker(model, (LEARNT[0] * 5)[3:93])]
    for asker in reading:
        asker.ask(batch)
    model.calls.clear()
    before = len(writing.told)
    while not any(asker.told for asker in reading):
        batch.turn()
    assert len(writing.told) - before >= 6  # seven pieces of 16
    assert reading[1].told == []  # first come, first served
    assert max(model.calls) == 16
    write(batch)
    for asker in (writing, *reading):
        assert same(asker.finished, alone(asker))


def test_short_prompts_are_read_together() -> None:
    model = backend()
    batch = Batch(model)
    askers = [Asker(model, LEARNT[0][:size]) for size in (5, 6, 4, 7)]
    for asker in askers:
        asker.ask(batch)
    batch.turn()
    assert [bool(asker.told) for asker in askers] == [True, True, True, False]  # 15 tokens of a piece of 16
    batch.turn()
    assert all(asker.told for asker in askers)


def test_who_waits_to_be_read_and_is_not_wanted_any_more_leaves_at_once() -> None:
    model = backend()
    batch = Batch(model)
    first, second = (Asker(model, (LEARNT[0] * 5)[:90]) for _ in range(2))
    first.ask(batch)
    second.ask(batch)
    batch.turn()
    second.enough = 0
    batch.turn()
    assert (second.finished.reason, second.finished.stats.fed_tokens) == ("cancelled", 0)
    assert first.told == []
    write(batch)
    assert same(first.finished, alone(first))


def test_scores_that_are_no_numbers_end_their_own_answer_alone() -> None:
    class Broken(NgramBackend):
        def feed(self, tokens: Sequence[int], state: TokenState) -> Logits:
            logits = super().feed(tokens, state)
            return np.full_like(logits, np.nan) if 7 in state.tokens and state.length > 6 else logits

    model = Broken(LEARNT, vocab_size=SMALL.vocab_size)
    batch = Batch(model)
    good, bad = Asker(model, LEARNT[0][:4]), Asker(model, [7, *LEARNT[0][:3]])
    assert 7 not in alone(good).tokens
    for asker in (good, bad):
        asker.ask(batch)
    write(batch)
    assert isinstance(bad.told[-1], ModelOutputError)
    assert (bad.ended, bad.session.tokens) == (1, ())
    assert same(good.finished, alone(good))


def test_a_call_that_fails_ends_those_that_it_was_for_and_the_batch_goes_on() -> None:
    class Small(NgramBackend):
        full = False

        def feed_batch(self, feeds: Any) -> list[Logits]:
            if self.full and any(len(tokens) > 1 for tokens, _ in feeds):
                raise DeviceMemoryError("The card's memory is full.")
            return super().feed_batch(feeds)

    model = Small(LEARNT, vocab_size=SMALL.vocab_size)
    batch = Batch(model)
    early, late = Asker(model, LEARNT[0][:4]), Asker(model, LEARNT[0][:30])
    early.ask(batch)
    batch.turn()
    model.full = True
    late.ask(batch)
    batch.turn()
    assert isinstance(late.told[-1], DeviceMemoryError)
    assert (late.ended, late.session.tokens) == (1, ())
    model.full = False
    write(batch)
    assert same(early.finished, alone(early))
    late.ended = 0
    late.ask(batch)
    write(batch)
    assert same(late.finished, alone(late))


def test_who_cannot_be_told_ends_and_others_do_not(caplog: pytest.LogCaptureFixture) -> None:
    model = backend()
    batch = Batch(model)
    good, gone = Asker(model, LEARNT[0][:4]), Asker(model, LEARNT[0][:5])

    def lost(news: Event | Exception) -> None:
        raise RuntimeError("the line is cut")

    good.ask(batch)
    steps = Writer(SMALL, GREEDY).answer(gone.session, gone.prompt)
    batch.add(steps, lost, gone.cancelled, gone.end)
    write(batch)
    assert gone.ended == 1
    assert "the line is cut" in caplog.text
    assert same(good.finished, alone(good))
    assert gone.session.tokens[:5] == tuple(gone.prompt)


def test_an_abandoned_batch_tells_everybody_why() -> None:
    model = backend()
    batch = Batch(model)
    askers = [Asker(model, LEARNT[0][:size]) for size in (3, 30)]
    for asker in askers:
        asker.ask(batch)
    batch.turn()
    error = RuntimeError("broken")
    batch.abandon(error)
    assert [asker.told[-1] for asker in askers] == [error, error]
    assert [asker.ended for asker in askers] == [1, 1]
    assert len(batch) == 0
    batch.turn()


def test_an_abandoned_batch_tells_everybody_whatever_fails_in_ending_one(caplog: pytest.LogCaptureFixture) -> None:
    class Full(NgramBackend):
        full = False

        def new_state(self) -> TokenState:
            if self.full:
                raise DeviceMemoryError("The card's memory is full.")
            return super().new_state()

    model = Full(LEARNT, vocab_size=SMALL.vocab_size)
    batch = Batch(model)
    askers = [Asker(model, LEARNT[0][:size]) for size in (3, 5)]
    for asker in askers:
        asker.ask(batch)
    batch.turn()
    model.full = True
    error = RuntimeError("broken")
    batch.abandon(error)
    assert [asker.told[-1] for asker in askers] == [error, error]
    assert [asker.ended for asker in askers] == [1, 1]
    assert len(batch) == 0
    assert "memory is full" in caplog.text
