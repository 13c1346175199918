"""Decoding: guesses change how often the model is asked, never what it answers."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.events import Event, Finished, TextDelta
from runtime.generation import generate
from runtime.options import GenerationOptions
from runtime.sampling import SamplingConfig
from runtime.session import Session
from runtime.tokenizer import Tokenizer
from tests.runtime.conftest import NgramBackend, TokenState, small_core

SMALL = Tokenizer(small_core(), eos_token="<|endoftext|>")
GREEDY = SamplingConfig(temperature=0)
LINE = " the quick brown fox jumps over the lazy dog;"


def session_of(*texts: str, context_length: int = 256) -> Session[TokenState]:
    """A session whose model goes on as `texts` do, then ends."""
    learnt = [[*SMALL.encode(text), SMALL.eos_id] for text in texts]
    return Session(NgramBackend(learnt, vocab_size=SMALL.vocab_size, context_length=context_length))


def finish(session: Session[TokenState], prompt: str, **options: Any) -> Finished:
    *_, last = generate(session, SMALL.encode(prompt), SMALL, GenerationOptions(**options))
    assert isinstance(last, Finished)
    return last


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1000),
    temperature=st.sampled_from([0, 0.3, 1.0, 3.0]),
    repeats=st.integers(1, 4),
    limit=st.integers(1, 60),
    penalty=st.sampled_from([1.0, 1.3]),
    context=st.integers(60, 256),
)
def test_answers_with_guesses_are_token_for_token_those_without(
    seed: int, temperature: float, repeats: int, limit: int, penalty: float, context: int
) -> None:
    sampling = SamplingConfig(temperature=temperature, seed=seed, repetition_penalty=penalty)
    answers, held = [], []
    for lookup in (False, True):
        session = session_of(LINE * repeats, context_length=context)
        prompt = (LINE * repeats)[:80]
        answers.append(
            finish(session, prompt, sampling=sampling, max_new_tokens=limit, prompt_lookup=lookup, logprobs=2)
        )
        written = [*SMALL.encode(prompt), *answers[-1].tokens]
        held.append(session.tokens)
        assert list(held[-1]) in (written, written[:-1])  # the last token may not have been fed yet
    plain, guessed = answers
    assert (guessed.tokens, guessed.text, guessed.reason) == (plain.tokens, plain.text, plain.reason)
    assert guessed.logprobs == plain.logprobs
    assert plain.stats.drafted_tokens == 0
    assert guessed.stats.accepted_tokens <= guessed.stats.drafted_tokens


def test_a_repeating_answer_takes_fewer_calls_than_tokens() -> None:
    last = finish(session_of(LINE * 4), LINE, sampling=GREEDY)
    assert last.text == (LINE * 3)
    assert last.stats.tokens_per_feed is not None
    assert last.stats.tokens_per_feed > 3
    assert last.stats.feeds == len(last.tokens) - last.stats.accepted_tokens


def test_an_answer_closed_in_the_middle_leaves_no_guess_in_the_session() -> None:
    for stop_after in range(1, 30):
        session = session_of(LINE * 4)
        prompt = SMALL.encode(LINE)
        events = generate(session, prompt, SMALL, GenerationOptions(sampling=GREEDY))
        deltas = 0
        for event in events:
            deltas += isinstance(event, TextDelta)
            if deltas == stop_after:
                break
        events.close()  # type: ignore[attr-defined]
        wanted = [*prompt, *SMALL.encode(LINE * 3)]
        assert list(session.tokens) == wanted[: len(session.tokens)]
        assert len(session.tokens) >= len(prompt) + stop_after - 1


def test_control_tokens_are_never_guessed() -> None:
    ids = SMALL.encode("a: yes, a: ")
    session = Session(NgramBackend([[*ids, SMALL.eos_id, 40, 41]], vocab_size=SMALL.vocab_size))
    prompt = [*ids, SMALL.eos_id, 40, 41, *ids[:-1]]
    *_, last = generate(session, prompt, SMALL, GenerationOptions(sampling=GREEDY))
    assert isinstance(last, Finished)
    assert last.reason == "stop"
    assert SMALL.eos_id not in session.tokens[len(prompt) :]


class OneByOne(NgramBackend):
    """A program that scores the last position only."""

    draft_cost = None


def test_a_backend_that_cannot_check_guesses_cheaply_is_not_asked_to() -> None:
    learnt = [[*SMALL.encode(LINE * 4), SMALL.eos_id]]
    session = Session(OneByOne(learnt, vocab_size=SMALL.vocab_size))
    last = finish(session, LINE, sampling=GREEDY)
    assert last.stats.drafted_tokens == 0
    assert last.stats.tokens_per_feed == 1


class TestLogprobs:
    def test_each_token_has_them_in_order_and_deltas_carry_all(self) -> None:
        events: list[Event] = list(
            generate(
                session_of("a: naïve 🙂 yes"), SMALL.encode("a:"), SMALL, GenerationOptions(sampling=GREEDY, logprobs=3)
            )
        )
        last = events[-1]
        assert isinstance(last, Finished)
        assert [logprobs.token for logprobs in last.logprobs] == list(last.tokens)
        assert all(len(logprobs.top) == 3 and logprobs.logprob <= 0 for logprobs in last.logprobs)
        told = [one for event in events if isinstance(event, TextDelta) for one in event.logprobs]
        assert told == list(last.logprobs)[: len(told)]

    def test_there_are_none_unless_asked_for(self) -> None:
        assert finish(session_of("a: yes"), "a:", sampling=GREEDY).logprobs == ()


@pytest.mark.parametrize("lookup", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_penalties_see_the_tokens_written_with_guesses_as_without(seed: int, lookup: bool) -> None:
    sampling = SamplingConfig(seed=seed, presence_penalty=1.5, frequency_penalty=0.7, temperature=1)
    last = finish(session_of(LINE * 4), LINE, sampling=sampling, max_new_tokens=40, prompt_lookup=lookup)
    plain = finish(session_of(LINE * 4), LINE, sampling=sampling, max_new_tokens=40, prompt_lookup=False)
    assert last.tokens == plain.tokens
    assert re.sub(r"\s", "", last.text) or last.tokens == ()
