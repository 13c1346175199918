"""Prompt lookup: guesses are copies of what followed before, and wrong ones become rarer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.drafts import PromptLookup

streams = st.lists(st.integers(0, 3), max_size=60)


def test_what_followed_the_same_ending_is_guessed() -> None:
    assert PromptLookup([1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4]).guess(8) == [5, 6, 7, 8]


def test_a_short_ending_is_followed_for_fewer_tokens() -> None:
    assert PromptLookup([1, 2, 3, 4, 5, 6, 9, 1, 2]).guess(8) == [3]
    assert PromptLookup([1, 2, 3, 4, 5, 6, 9, 1, 2, 3]).guess(8) == [4, 5]


def test_a_longer_ending_is_trusted_before_a_shorter_one() -> None:
    assert PromptLookup([7, 1, 2, 5, 5, 8, 1, 2, 6, 6, 7, 1, 2]).guess(2) == [5, 5]


def test_of_equal_endings_the_latest_counts() -> None:
    assert PromptLookup([1, 2, 5, 0, 1, 2, 6, 0, 1, 2]).guess(1) == [6]


@pytest.mark.parametrize("tokens", [[], [1], [1, 2], [1, 2, 3, 4], [1, 3, 2, 3]])
def test_a_new_ending_gives_no_guess(tokens: list[int]) -> None:
    assert PromptLookup(tokens).guess(8) == []


def test_an_ending_may_overlap_its_own_continuation() -> None:
    assert PromptLookup([4, 4, 4]).guess(8) == [4]


@given(streams, st.integers(0, 20))
def test_a_guess_is_always_a_copy_of_what_followed_the_last_two_tokens_before(tokens: list[int], limit: int) -> None:
    guess = PromptLookup(tokens).guess(limit)
    assert len(guess) <= limit
    if guess:
        wanted = [*tokens[-2:], *guess]
        assert any(tokens[start : start + len(wanted)] == wanted for start in range(len(tokens) - len(wanted) + 1))


def test_guesses_grow_while_they_are_right_and_never_past_a_bound() -> None:
    lookup = PromptLookup([*range(100), 0, 1, 2, 3])
    sizes = []
    for _ in range(5):
        guess = lookup.guess(99)
        sizes.append(len(guess))
        lookup.checked(len(guess), len(guess))
    assert sizes[0] < sizes[1] < sizes[2]
    assert sizes[-1] == sizes[-2] <= 16


def test_wrong_guesses_pause_guessing_for_longer_each_time_and_a_right_one_ends_it() -> None:
    lookup = PromptLookup([1, 2] * 4)
    pauses = []
    for _ in range(9):
        guess = lookup.guess(4)
        assert guess
        lookup.checked(len(guess), 0)
        pauses.append(0)
        while not lookup.guess(4):
            lookup.push([1, 2][pauses[-1] % 2])
            pauses[-1] += 1
    assert pauses[:5] == [1, 2, 4, 8, 16]
    assert pauses[-1] == pauses[-2] == 64
    lookup.checked(4, 2)
    assert lookup.guess(4)
