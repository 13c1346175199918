"""SessionPool: a prompt scores as if it were the first, and conversations do not cost each other what they hold."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from weakref import WeakSet

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.backends.base import KeyValues, Logits
from runtime.bundle import Bundle
from runtime.chat import ChatTemplate, Message
from runtime.engines.local import LocalEngine
from runtime.errors import DeviceMemoryError
from runtime.events import Finished
from runtime.options import GenerationOptions
from runtime.pool import SessionPool
from runtime.sampling import SamplingConfig
from runtime.tokenizer import Tokenizer
from tests.runtime.bundles import talker
from tests.runtime.conftest import NgramBackend, TokenState

SHORT = GenerationOptions(max_new_tokens=6, prompt_lookup=False, sampling=SamplingConfig(temperature=0))
SYSTEM = list(range(20))
STATE_BYTES = 256  # of NgramBackend: 4 a token, 64 tokens


def backend(context_length: int = 64) -> NgramBackend:
    return NgramBackend(vocab_size=32, context_length=context_length, chunk_length=8)


def feed(pool: SessionPool[TokenState], prompt: list[int], conversation: str | None = None) -> int:
    """Tokens that `prompt` took."""
    return pool.session_for(prompt, conversation).set_prompt(prompt).fed_tokens


@settings(max_examples=200, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 24), st.lists(st.integers(0, 2), min_size=1, max_size=12), st.sampled_from([None, *"ab"])
        ),
        max_size=9,
    ),
    most=st.integers(1, 3),
)
def test_any_sequence_of_prompts_scores_as_if_each_were_the_first(
    steps: list[tuple[int, list[int], str | None]], most: int
) -> None:
    model = backend()
    pool = SessionPool(model, state_bytes=STATE_BYTES, most=most)
    for begin, rest, conversation in steps:
        prompt = [5] * begin + rest
        model.calls.clear()
        session = pool.session_for(prompt, conversation)
        used = session.set_prompt(prompt)
        assert sum(model.calls) == used.fed_tokens
        assert used.reused_tokens + used.fed_tokens == len(prompt)
        assert pool.latest is session
        assert len(pool) <= most
        fresh = backend()
        np.testing.assert_array_equal(session.last_logits, fresh.feed(prompt, fresh.new_state()))
        np.testing.assert_array_equal(
            session.extend([7, 6]), fresh.feed([*prompt, 7, 6], fresh.new_state())
        )  # the answer, which the next prompt may or may not keep


def test_conversations_that_share_a_system_message_take_turns_and_read_only_what_is_new() -> None:
    pool = SessionPool(backend(), state_bytes=STATE_BYTES)
    talks = {name: [*SYSTEM, 20 + number] for number, name in enumerate("abc")}
    assert [feed(pool, talks[name], name) for name in "abc"] == [21, 1, 1]  # the system message was read once
    for _ in range(5):
        for name in "abc":
            talks[name] += [25, 26, 27]
            assert feed(pool, talks[name], name) == 3
    assert len(pool) == 3


def test_the_oldest_gives_way() -> None:
    pool = SessionPool(backend(), state_bytes=STATE_BYTES, most=2)
    for number in (1, 2, 3):
        feed(pool, [number] * 10)
    assert len(pool) == 2
    assert feed(pool, [2] * 11) == 1
    assert feed(pool, [1] * 11) == 11


def test_another_way_of_a_conversation_gives_way_before_another_conversation() -> None:
    pool = SessionPool(backend(), state_bytes=STATE_BYTES, most=2)
    feed(pool, [1] * 10, "a")
    feed(pool, [2] * 10, "b")
    feed(pool, [*[2] * 9, 3], "b")  # asked otherwise
    feed(pool, [*[2] * 9, 4], "b")
    assert feed(pool, [1] * 11, "a") == 1


def test_an_answer_once_more_and_a_turn_more_stay_in_their_session() -> None:
    pool = SessionPool(backend(), state_bytes=STATE_BYTES)
    prompt = [*SYSTEM, 20]
    feed(pool, prompt)
    session = pool.latest
    assert session is not None
    session.extend([1, 2, 3])
    assert pool.session_for(prompt) is session
    session.set_prompt(prompt)
    session.extend([1, 2, 3])
    assert pool.session_for([*prompt, 1, 9]) is session
    assert len(pool) == 1


def test_states_that_take_too_much_memory_are_fewer_but_one() -> None:
    model = backend()
    assert SessionPool(model, state_bytes=STATE_BYTES).capacity == 4
    assert SessionPool(model, state_bytes=STATE_BYTES, most_bytes=512).capacity == 2
    assert SessionPool(model, state_bytes=STATE_BYTES, most_bytes=1).capacity == 1
    pool = SessionPool(model, state_bytes=STATE_BYTES, most_bytes=1)
    feed(pool, SYSTEM)
    assert feed(pool, [*SYSTEM[:15], 30, 30]) == 2
    assert len(pool) == 1


def test_where_memory_is_full_those_that_are_not_held_give_way() -> None:
    class Small(NgramBackend):
        """Has room for three states."""

        def __init__(self) -> None:
            super().__init__(vocab_size=32)
            self.states: WeakSet[TokenState] = WeakSet()

        def new_state(self) -> TokenState:
            if len(self.states) == 3:
                raise DeviceMemoryError("The card's memory is full.")
            state = super().new_state()
            self.states.add(state)
            return state

        def restore_state(self, saved: KeyValues) -> TokenState:
            state = self.new_state()
            state.tokens = super().restore_state(saved).tokens
            return state

    pool = SessionPool(Small(), state_bytes=STATE_BYTES, most=8)
    for token in range(3):
        feed(pool, [token] * 10)
    held = pool.session_for([1] * 10)
    pool.hold(held)
    other = pool.session_for([0] * 9)
    assert other.tokens == ()  # the prefix cannot be copied; all but the one held gave way
    assert len(pool) == 2
    pool.hold(other)
    pool.hold(pool.session_for([6]))
    with pytest.raises(DeviceMemoryError):
        pool.session_for([8])
    assert held.tokens == (1,) * 10


def test_states_that_only_an_error_of_before_holds_make_room() -> None:
    class Failing(NgramBackend):
        """Has room for one state; the first prompt is too much for it."""

        def __init__(self) -> None:
            super().__init__(vocab_size=32)
            self.states: WeakSet[TokenState] = WeakSet()
            self.fed = 0

        def new_state(self) -> TokenState:
            if self.states:
                raise DeviceMemoryError("The card's memory is full.")
            state = super().new_state()
            self.states.add(state)
            return state

        def feed(self, tokens: Sequence[int], state: TokenState) -> Logits:
            self.fed += 1
            if self.fed == 1:
                raise DeviceMemoryError("The card's memory is full.")
            return super().feed(tokens, state)

    pool = SessionPool(Failing(), state_bytes=STATE_BYTES, most=1)
    gc.disable()  # whose turn comes at some time, or not for long
    try:
        session = pool.session_for([1, 2])
        error, frames = None, []
        try:
            session.set_prompt([1, 2])
        except DeviceMemoryError as raised:
            error = raised
            frames.append(error.__traceback__)
            error.frames = frames  # type: ignore[attr-defined]  # as whoever keeps the errors of many answers does
        del error, frames, session
        pool.clear()
        assert feed(pool, [3, 4]) == 2
    finally:
        gc.enable()


def test_an_engine_answers_two_conversations_in_turns_and_reads_each_once(small_tokenizer: Tokenizer) -> None:
    answer = [*small_tokenizer.encode("\n\nAssistant: I am happy to help."), small_tokenizer.eos_id]
    model = NgramBackend([answer], vocab_size=small_tokenizer.vocab_size, context_length=1024)
    engine = LocalEngine(Bundle.open(talker()), model, small_tokenizer, ChatTemplate.named("falcon-instruct"))
    system = Message("system", "You are happy to help with the capital of France.")
    talks = {name: [system, Message("user", f"My name is {name}.")] for name in ("Fox", "Dog")}
    for turn in range(4):
        for messages in talks.values():
            *_, last = engine.chat(messages, SHORT)
            assert isinstance(last, Finished)
            new = len(small_tokenizer.encode(f"\n\nUser: {messages[-1].content}\n\nAssistant:"))
            if turn:
                assert last.stats.fed_tokens <= new + 1  # an answer's last token was chosen, not fed
            messages += [Message("assistant", last.text, last.tokens), Message("user", f"Turn {turn}: who are you?")]
