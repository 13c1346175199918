"""Session: whatever was held before, a prompt scores as if it were fed to a fresh state, and little is fed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.backends.base import Logits
from runtime.errors import ContextFullError, DeviceMemoryError, TokenizerError
from runtime.session import Session, shared_prefix
from tests.runtime.conftest import NgramBackend, TokenState

tokens = st.lists(st.integers(0, 2), min_size=1, max_size=12)


def backend() -> NgramBackend:
    return NgramBackend(vocab_size=8, context_length=12, chunk_length=3)


def scored_afresh(prompt: list[int]) -> Logits:
    model = backend()
    return model.feed(prompt, model.new_state())


@settings(max_examples=200, deadline=None)
@given(prompts=st.lists(tokens, min_size=1, max_size=5))
def test_any_sequence_of_prompts_scores_as_if_each_were_the_first(prompts: list[list[int]]) -> None:
    model = backend()
    session, before = Session(model), list[int]()
    for prompt in prompts:
        model.calls.clear()
        feed = session.set_prompt(prompt)
        np.testing.assert_array_equal(session.last_logits, scored_afresh(prompt))
        assert session.tokens == tuple(prompt)
        assert feed.reused_tokens + feed.fed_tokens == len(prompt)
        assert sum(model.calls) == feed.fed_tokens <= max(1, len(prompt) - shared_prefix(before, prompt))
        before = prompt


def test_the_same_prompt_again_feeds_nothing() -> None:
    session = Session(backend())
    session.set_prompt([1, 2, 3])
    assert session.set_prompt([1, 2, 3]).fed_tokens == 0


def test_a_prefix_of_what_is_held_feeds_its_last_token_again_for_the_scores() -> None:
    session = Session(backend())
    session.set_prompt([1, 2, 3, 4])
    feed = session.set_prompt([1, 2, 3])
    assert (feed.reused_tokens, feed.fed_tokens) == (2, 1)
    np.testing.assert_array_equal(session.last_logits, scored_afresh([1, 2, 3]))


def test_a_long_prompt_is_fed_in_the_backends_pieces() -> None:
    model = backend()
    Session(model).set_prompt(list(range(8)))
    assert model.calls == [3, 3, 2]


def test_cancelling_between_pieces_keeps_what_was_fed_and_the_rest_can_follow() -> None:
    session = Session(backend())
    answers = iter([False, False, True])
    feed = session.set_prompt(list(range(8)), cancelled=lambda: next(answers))
    assert (feed.fed_tokens, feed.complete, session.tokens) == (6, False, tuple(range(6)))
    assert session.set_prompt(list(range(8))).reused_tokens == 6
    np.testing.assert_array_equal(session.last_logits, scored_afresh(list(range(8))))


def test_extending_appends_and_counts_the_room() -> None:
    session = Session(backend())
    session.set_prompt([1, 2])
    np.testing.assert_array_equal(session.extend([3]), scored_afresh([1, 2, 3]))
    assert session.room_left == 9


@pytest.mark.parametrize(
    ("prompt", "error"),
    [
        ([0] * 13, ContextFullError),
        ([8], TokenizerError),
        ([-1], TokenizerError),
        ([], ValueError),
        ([0.5], ValueError),
    ],
)
def test_a_refused_call_changes_nothing(prompt: list[int], error: type[Exception]) -> None:
    model = backend()
    session = Session(model)
    session.set_prompt([1, 2])
    model.calls.clear()
    for call in (session.set_prompt, session.extend):
        with pytest.raises(error):
            call(prompt)
    assert (session.tokens, model.calls) == ((1, 2), [])
    np.testing.assert_array_equal(session.last_logits, scored_afresh([1, 2]))


def test_a_full_context_is_refused_in_a_sentence_with_the_figures() -> None:
    session = Session(backend())
    session.set_prompt([0] * 12)
    with pytest.raises(ContextFullError, match="1 more tokens do not fit after 12 in a context of 12"):
        session.extend([1])


def test_there_are_no_scores_before_the_first_prompt() -> None:
    with pytest.raises(RuntimeError, match="feed a prompt first"):
        _ = Session(backend()).last_logits


class Interrupted(NgramBackend):
    """Dies after it has written half a piece, as Ctrl-C in the middle of a device's work does."""

    armed = False

    def feed(self, tokens: Sequence[int], state: TokenState) -> Logits:
        if self.armed:
            state.tokens += tokens[: len(tokens) // 2]
            raise KeyboardInterrupt
        return super().feed(tokens, state)


def test_a_call_that_died_leaves_no_half_written_state_behind() -> None:
    model = Interrupted(vocab_size=8, context_length=12, chunk_length=3)
    session = Session(model)
    session.set_prompt([1, 2])
    model.armed = True
    with pytest.raises(KeyboardInterrupt):
        session.extend([3, 4])
    model.armed = False
    assert session.set_prompt([1, 2, 5]).reused_tokens == 0
    np.testing.assert_array_equal(session.last_logits, scored_afresh([1, 2, 5]))


def test_a_call_that_died_where_there_is_no_memory_for_a_new_state_leaves_an_empty_one() -> None:
    """The state ran ahead of the session, as where some of a batch were fed before memory ended."""

    class Full(NgramBackend):
        armed = False

        def new_state(self) -> TokenState:
            if self.armed:
                raise DeviceMemoryError("The card's memory is full.")
            return super().new_state()

        def feed(self, tokens: Sequence[int], state: TokenState) -> Logits:
            scores = super().feed(tokens, state)
            if self.armed:
                raise DeviceMemoryError("The card's memory is full.")
            return scores

    model = Full(vocab_size=8, context_length=12, chunk_length=3)
    session = Session(model)
    session.set_prompt([1, 2])
    model.armed = True
    with pytest.raises(DeviceMemoryError):
        session.extend([3, 4])
    assert session.tokens == ()
    model.armed = False
    assert session.set_prompt([1, 2, 5]).reused_tokens == 0
    np.testing.assert_array_equal(session.last_logits, scored_afresh([1, 2, 5]))
