"""Generation: an iterator of events with exactly one end, whatever ends it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from itertools import islice
from typing import Any

import numpy as np
import pytest

from runtime.backends.base import Logits
from runtime.chat import DEFAULT_TEMPLATE, Message
from runtime.errors import ContextFullError, ModelOutputError, OptionError
from runtime.events import Event, Finished, Prefilled, TextDelta
from runtime.generation import generate
from runtime.options import GenerationOptions
from runtime.sampling import SamplingConfig
from runtime.session import Session
from runtime.tokenizer import Tokenizer
from tests.runtime.conftest import NgramBackend, TokenState, small_core

SMALL = Tokenizer(small_core(), eos_token="<|endoftext|>")
EOS = SMALL.eos_id
GREEDY = SamplingConfig(temperature=0)
QUESTION, ANSWER = "What is the capital of France?", "Paris, naïve 🙂!"


def knowing(*texts: str, ending: int = EOS, **options: int) -> Session[TokenState]:
    """A session whose model goes on as `texts` do."""
    learnt = [[*SMALL.encode(text), ending] for text in texts]
    return Session(NgramBackend(learnt, vocab_size=SMALL.vocab_size, **options))


def answer(session: Session[TokenState], prompt: list[int], **options: Any) -> Iterator[Event]:
    """`generate`, greedy unless told otherwise; what is an option of the answer goes there."""
    names = {field.name for field in fields(GenerationOptions)} - {"stop"}
    chosen = {"sampling": GREEDY} | {name: options.pop(name) for name in names & options.keys()}
    return generate(session, prompt, SMALL, GenerationOptions(**chosen), **options)


def run(session: Session[TokenState], prompt: str, **options: Any) -> tuple[list[Event], Finished]:
    events = list(answer(session, SMALL.encode(prompt), **options))
    last = events[-1]
    assert isinstance(last, Finished)
    assert [isinstance(event, Finished) for event in events].count(True) == 1
    assert last.text == "".join(event.text for event in events if isinstance(event, TextDelta))
    return events, last


def test_an_answer_is_prefilled_then_text_then_finished() -> None:
    events, last = run(knowing(f"Q: x A: {ANSWER}"), "Q: x A:")
    assert isinstance(events[0], Prefilled)
    assert all(isinstance(event, TextDelta) and event.text for event in events[1:-1])
    assert (last.reason, last.text) == ("stop", f" {ANSWER}")
    assert list(last.tokens) == SMALL.encode(f" {ANSWER}")
    assert last.stats.new_tokens == len(last.tokens) + 1  # and the control token


@pytest.mark.parametrize("ending", range(12))
def test_any_control_token_ends_the_answer_and_is_never_shown(ending: int) -> None:
    _, last = run(knowing("a: yes", ending=ending), "a:")
    assert (last.reason, last.text) == ("stop", " yes")
    assert ending not in last.tokens


def test_other_ids_can_be_made_to_end_the_answer() -> None:
    (mark,) = SMALL.encode("!")
    _, last = run(knowing("a: yes! and no"), "a:", stop_ids=[mark])
    assert (last.reason, last.text) == ("stop", " yes")


def test_writing_on_as_the_user_is_stopped_and_not_shown() -> None:
    _, last = run(
        knowing(f"\n\nUser: x\n\nAssistant: {ANSWER}\n\nUser: more\n\nAssistant: no"),
        "\n\nUser: x\n\nAssistant:",
        stop=DEFAULT_TEMPLATE.stop,
        trim=True,
    )
    assert (last.reason, last.text) == ("stop", ANSWER)


def test_a_false_start_of_a_stop_text_is_shown_at_the_end() -> None:
    _, last = run(knowing("a: yes\nUs"), "a:", stop=["\nUser"])
    assert (last.reason, last.text) == ("stop", " yes\nUs")


def test_a_word_that_begins_a_turn_is_left_out_at_the_models_own_end_alone() -> None:
    session, room = knowing("a: all\nUser"), len(SMALL.encode(" all\nUser"))
    _, ended = run(session, "a:", stop=DEFAULT_TEMPLATE.stop)
    assert (ended.reason, ended.text) == ("stop", " all")
    _, cut = run(session, "a:", stop=DEFAULT_TEMPLATE.stop, max_new_tokens=room)
    assert (cut.reason, cut.text) == ("length", " all\nUser")


def test_the_length_is_kept() -> None:
    _, last = run(knowing("a: one two three four"), "a:", max_new_tokens=3)
    assert (last.reason, len(last.tokens)) == ("length", 3)


def test_a_full_context_ends_the_answer_and_says_so() -> None:
    session = knowing("a: " + "la " * 40, context_length=20)
    _, last = run(session, "a:")
    assert last.reason == "context"
    assert len(SMALL.encode("a:")) + len(last.tokens) == 20


def test_a_prompt_that_fills_the_context_gets_an_empty_answer() -> None:
    prompt = SMALL.encode("a b c")
    session = knowing("a", context_length=len(prompt))
    last = list(answer(session, prompt))[-1]
    assert isinstance(last, Finished)
    assert (last.reason, last.text, last.tokens) == ("context", "", ())


def test_a_prompt_longer_than_the_context_is_refused_at_the_call_before_anything_is_fed() -> None:
    session = knowing("a", context_length=5)
    with pytest.raises(ContextFullError, match="in a context of 5"):
        generate(session, [20] * 6, SMALL)
    backend = session.backend
    assert isinstance(backend, NgramBackend)
    assert backend.calls == []


@pytest.mark.parametrize("limit", [0, -1, 2.5, "3", True])
def test_a_bad_limit_is_refused_at_the_call(limit: Any) -> None:
    with pytest.raises(OptionError, match="max_new_tokens"):
        answer(knowing("a"), [20], max_new_tokens=limit)


def test_cancelling_ends_with_what_was_written() -> None:
    written: list[str] = []
    session = knowing("a: one two three four five")
    events = answer(session, SMALL.encode("a:"), cancelled=lambda: len(written) >= 3)
    for event in events:
        match event:
            case TextDelta(text):
                written.append(text)
            case Finished() as last:
                assert last.reason == "cancelled"
                assert last.text == "".join(written)
                assert len(written) == 3


def test_cancelling_while_the_prompt_is_read_ends_without_text_and_keeps_what_was_read() -> None:
    session, asked = knowing("a", chunk_length=4), iter([False, True])
    (last,) = generate(session, [20] * 10, SMALL, cancelled=lambda: next(asked))
    assert isinstance(last, Finished)
    assert (last.reason, last.text, last.stats.fed_tokens, last.stats.new_tokens) == ("cancelled", "", 4, 0)
    assert session.tokens == (20,) * 4


@pytest.mark.parametrize("taken", range(1, 6))
def test_closing_the_iterator_early_leaves_a_session_that_goes_on_rightly(taken: int) -> None:
    text = "a: one two three four five"
    session = knowing(text)
    events = answer(session, SMALL.encode("a:"))
    assert isinstance(events, Iterator)
    list(islice(events, taken))
    del events
    _, last = run(session, "a:")
    assert last.text == text.removeprefix("a:")


def test_the_second_turn_feeds_only_what_is_new() -> None:
    first = [Message("user", QUESTION)]
    talk = f"\n\nUser: {QUESTION}\n\nAssistant: {ANSWER}"
    session = knowing(talk)
    prompt = DEFAULT_TEMPLATE.encode(first, SMALL)
    one = list(answer(session, prompt, stop=DEFAULT_TEMPLATE.stop, trim=True))[-1]
    assert isinstance(one, Finished)
    assert one.text == ANSWER
    second = [*first, Message("assistant", one.text, one.tokens), Message("user", "And?")]
    again = DEFAULT_TEMPLATE.encode(second, SMALL)
    prefilled = next(iter(answer(session, again)))
    assert isinstance(prefilled, Prefilled)
    assert prefilled.reused_tokens == len(prompt) + len(one.tokens)
    assert prefilled.prompt_tokens == len(again)


def test_the_seed_decides_the_answer() -> None:
    def answer(seed: int) -> str:
        return run(knowing(), "hello", sampling=SamplingConfig(seed=seed, temperature=2.0), max_new_tokens=20)[1].text

    assert answer(1) == answer(1)
    assert answer(1) != answer(2)


def test_repetition_is_penalised_over_the_prompt_and_the_answer() -> None:
    # 10 points of preference shrink to 1 for a token that was there before, so the loop is left
    penalty = SamplingConfig(temperature=0, repetition_penalty=10.0, repetition_window=0)
    loop = "x" + " la" * 30
    _, plain = run(knowing(loop), "x la la la", max_new_tokens=12)
    _, penalised = run(knowing(loop), "x la la la", max_new_tokens=12, sampling=penalty)
    assert len(set(penalised.tokens)) > len(set(plain.tokens))


def test_ids_that_only_pad_the_models_vocabulary_are_never_chosen() -> None:
    class Padded(NgramBackend):
        def feed(self, tokens: Any, state: TokenState) -> Logits:
            logits = super().feed(tokens, state)
            logits[SMALL.vocab_size :] = 1000
            return logits

    session = Session(Padded(vocab_size=SMALL.vocab_size + 47))
    _, last = run(session, "a", max_new_tokens=5)
    assert all(token < SMALL.vocab_size for token in last.tokens)


def test_scores_that_are_not_finite_reach_the_user_as_a_sentence() -> None:
    class Overflowed(NgramBackend):
        def feed(self, tokens: Any, state: TokenState) -> Logits:
            return super().feed(tokens, state) * np.float32(np.nan)

    with pytest.raises(ModelOutputError, match="not finite"):
        list(generate(Session(Overflowed(vocab_size=SMALL.vocab_size)), [20], SMALL))


def test_the_figures_add_up() -> None:
    _, last = run(knowing("a: one two three"), "a:", max_new_tokens=4)
    stats = last.stats
    assert stats.prompt_tokens == stats.reused_tokens + stats.fed_tokens
    assert stats.first_token_seconds is not None
    assert stats.first_token_seconds > stats.prefill_seconds > 0
    assert stats.tokens_per_second == pytest.approx(3 / stats.decode_seconds)
    assert stats.prefill_tokens_per_second == pytest.approx(stats.fed_tokens / stats.prefill_seconds)


def test_figures_of_too_short_an_answer_are_none_not_zero() -> None:
    _, last = run(knowing("a"), "a")
    assert (last.tokens, last.stats.tokens_per_second) == ((), None)
