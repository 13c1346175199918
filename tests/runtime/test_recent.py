"""RecentTexts, and the tokenizer that asks it first."""

from __future__ import annotations

import models.tiny
from runtime.recent import RecentTexts
from runtime.tokenizer import Tokenizer


def test_ids_are_given_back_as_they_were_put_and_belong_to_the_caller() -> None:
    texts = RecentTexts()
    texts.put("some text", [1, 2, 3])
    found = texts.get("some text")
    assert found == [1, 2, 3]
    found.append(4)
    assert texts.get("some text") == [1, 2, 3]
    assert texts.get("another") is None


def test_the_text_asked_for_longest_ago_gives_way() -> None:
    texts = RecentTexts(most=300)
    for letter in "abc":
        texts.put(letter * 100, [ord(letter)])
    assert texts.get("a" * 100) == [97]
    texts.put("d" * 100, [100])
    assert texts.get("b" * 100) is None
    assert [texts.get(letter * 100) for letter in "acd"] == [[97], [99], [100]]


def test_many_short_texts_do_not_stay_for_ever() -> None:
    texts = RecentTexts(most=1000)
    for number in range(1000):
        texts.put(str(number), [number])
    assert texts.get("0") is None
    assert texts.get("999") == [999]


def test_a_text_that_would_push_out_most_others_is_not_held() -> None:
    texts = RecentTexts(most=1000)
    texts.put("a" * 400, [1])
    texts.put("b" * 600, [2])
    assert texts.get("b" * 600) is None
    assert texts.get("a" * 400) == [1]


def test_the_same_text_twice_counts_once() -> None:
    texts = RecentTexts(most=300)
    for _ in range(9):
        texts.put("a" * 100, [1])
    texts.put("b" * 100, [2])
    assert texts.get("a" * 100) == [1]


def test_a_text_encoded_twice_has_the_same_ids_whatever_became_of_the_first_list() -> None:
    tokenizer = Tokenizer.open(models.tiny.FOLDER)
    first = tokenizer.encode("What is the opposite of hot?")
    kept = list(first)
    first.clear()
    assert kept
    assert tokenizer.encode("What is the opposite of hot?") == kept
    assert Tokenizer.open(models.tiny.FOLDER).encode("What is the opposite of hot?") == kept
