"""Prompt lookup: guesses are copies of what followed before, as many as promise to pay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.backends.base import DraftCost
from runtime.drafts import PromptLookup

FREE, CHEAP, USUAL, DEAR = DraftCost(0, 0), DraftCost(0.1, 0.05), DraftCost(0.5, 0.1), DraftCost(1.0, 1.0)
streams = st.lists(st.integers(0, 3), max_size=60)


def test_what_followed_the_same_ending_is_guessed() -> None:
    guess = PromptLookup([1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4], cost=CHEAP).guess(4)
    assert guess == [5, 6, 7, 8]


def test_a_guess_stops_where_the_text_does() -> None:
    assert PromptLookup([1, 2, 3, 4, 5, 1, 2, 3, 4], cost=CHEAP).guess(99) == [5, 1, 2, 3, 4]


def test_a_short_ending_is_followed_for_fewer_tokens() -> None:
    text = list(range(1, 30))
    long, short = (len(PromptLookup([*text, 99, *text[:size]], cost=USUAL).guess(99)) for size in (4, 2))
    assert long > short


def test_where_guesses_cost_more_fewer_are_made() -> None:
    text = [*range(50), 0, 1, 2, 3]
    sizes = [len(PromptLookup(text, cost=cost).guess(99)) for cost in (CHEAP, USUAL, DEAR)]
    assert sizes[0] > sizes[1] > sizes[2] == 0


def test_a_longer_ending_is_trusted_before_a_shorter_one() -> None:
    assert PromptLookup([7, 1, 2, 5, 5, 8, 1, 2, 6, 6, 7, 1, 2], cost=CHEAP).guess(2) == [5, 5]


def test_of_equal_endings_the_latest_counts() -> None:
    assert PromptLookup([1, 2, 5, 0, 1, 2, 6, 0, 1, 2], cost=CHEAP).guess(1) == [6]


@pytest.mark.parametrize("tokens", [[], [1], [1, 2], [1, 2, 3, 4], [1, 3, 2, 3]])
def test_a_new_ending_gives_no_guess(tokens: list[int]) -> None:
    assert PromptLookup(tokens, cost=CHEAP).guess(8) == []


def test_an_ending_may_overlap_its_own_continuation() -> None:
    assert PromptLookup([4, 4, 4], cost=CHEAP).guess(8) == [4]


@given(streams, st.integers(0, 20))
def test_a_guess_is_always_a_copy_of_what_followed_the_last_two_tokens_before(tokens: list[int], limit: int) -> None:
    guess = PromptLookup(tokens, cost=CHEAP).guess(limit)
    assert len(guess) <= limit
    if guess:
        wanted = [*tokens[-2:], *guess]
        assert any(tokens[start : start + len(wanted)] == wanted for start in range(len(tokens) - len(wanted) + 1))


@given(streams)
def test_tokens_that_were_read_and_tokens_that_were_pushed_are_found_alike(tokens: list[int]) -> None:
    pushed = PromptLookup(cost=FREE)
    for place, token in enumerate(tokens):
        assert pushed.guess(1) == PromptLookup(tokens[:place], cost=FREE).guess(1)
        pushed.push(token)


def test_guesses_grow_while_copies_go_on_as_before_and_never_past_a_bound() -> None:
    lookup = PromptLookup([*range(100), 0, 1, 2, 3], cost=USUAL)
    sizes = []
    for token in range(4, 44):
        sizes.append(len(lookup.guess(99)))
        lookup.push(token)
    assert sizes == sorted(sizes)
    assert 0 < sizes[0] < sizes[-1] <= 15


def test_what_is_written_otherwise_than_before_ends_guessing_without_a_guess_and_copies_begin_it_again() -> None:
    text = list(range(200))
    lookup = PromptLookup(text, cost=USUAL)
    for start in range(0, 120, 4):  # four tokens that stood before, then another than before
        for token in (*text[start : start + 4], 999):
            lookup.push(token)
    for token in text[150:154]:
        lookup.push(token)
    assert lookup.guess(8) == []
    for token in text[154:180]:
        lookup.push(token)
    assert lookup.guess(4) == text[180:184]
