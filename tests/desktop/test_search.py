"""Search finds words, beginnings, phrases and any part of writing without spaces, and takes any text."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desktop.store.opening import FILE_NAME
from desktop.store.search import places
from desktop.store.store import Store
from desktop.store.trees import ChatTree, Node
from desktop.store.words import compose, composed_starts, fold, tokens

TEXTS = (
    "The quick brown fox jumps over the lazy dog",
    "Ein schöner Tag, sagte Frau Müller zu Chloé",
    "我想知道北京今天的天气怎么样",
    "東京タワーはどこですか",
    "서울에서 부산까지",
    "อยากกินข้าวผัด",
    "ptr->next != NULL && x++ 🙂 done",
    "foo_bar(baz) don't snake_case\0after",
    "Cafe\u0301 society",
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with closing(Store.open(tmp_path_factory.mktemp("store"))) as opened:
        chat = opened.new_chat().id
        for text in TEXTS:
            opened.add(chat, None, "user", text)
        opened.rename(chat, "All sorts of foxes")
        yield opened


def found(store: Store, query: str) -> list[str]:
    """What was highlighted in each message that was found."""
    return [
        "|".join(hit.snippet[start:end] for start, end in hit.ranges)
        for hit in store.search(query)
        if hit.message is not None
    ]


@pytest.mark.parametrize(
    ("query", "highlighted"),
    [
        ("fox", "fox"),
        ("FOX laz", "fox|laz"),
        ("lazy fox", "fox|lazy"),
        ('"brown fox"', "brown fox"),
        ('"brown fox', "brown fox"),
        ("schoner", "schöner"),
        ("müller", "Müller"),
        ("MULLER chloe", "Müller|Chloé"),
        ("café", "Café"),
        ("京", "京"),
        ("北京", "北京"),
        ("京今天", "京今天"),
        ("天气 北京", "北京|天气"),
        ("タワ", "タワ"),
        ("부산", "부산"),
        ("ข้าว", "ข้าว"),
        ("🙂", "🙂"),
        ("->", "->"),
        ("next ->", "->|next"),
        ("foo_bar", "foo_bar"),
        ("don't", "don't"),
        ("after", "after"),
    ],
)
def test_what_is_typed_is_found_and_shown(store: Store, query: str, highlighted: str) -> None:
    assert highlighted in found(store, query)


@pytest.mark.parametrize("query", ["rown", "la dog", '"fox brown"', '"brown fo"', "京北", "schonr", "fox -> next"])
def test_what_is_not_there_is_not_found(store: Store, query: str) -> None:
    assert found(store, query) == []


@pytest.mark.parametrize(
    "query", ["", " ", '"', '""', "\0", "'", "*", "(", "NEAR(", "fox AND", "-", "a" * 9999, "\ud800"]
)
def test_no_query_is_refused(store: Store, query: str) -> None:
    assert isinstance(store.search(query), list)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.text(max_size=40))
def test_any_text_is_a_safe_query_and_ranges_lie_within_snippets(store: Store, query: str) -> None:
    for hit in store.search(query):
        assert all(0 <= start < end <= len(hit.snippet) for start, end in hit.ranges)


@settings(max_examples=150, deadline=None)
@given(st.text())
def test_places_in_folded_text_are_places_in_the_text(text: str) -> None:
    assert len(fold(text)) == len(text)
    assert all(token and not any(character.isspace() for character in token) for token in tokens(text))


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("ae\u0301\u0323\u0316\u0327o 한하x\u0345") | st.characters(), max_size=12))
def test_each_character_of_the_composed_text_has_its_place_in_the_text(text: str) -> None:
    composed, starts = compose(text), list(composed_starts(text))
    assert len(starts) == len(composed) + 1
    assert starts == sorted(starts)
    assert (starts[0], starts[-1]) == (0, len(text))
    cuts = sorted(set(starts))
    assert "".join(compose(text[begin:end]) for begin, end in pairwise(cuts)) == composed


@pytest.mark.parametrize(
    ("query", "found"), [("résumé", ["re\u0301sume\u0301"]), ("là", ["la\u0300"]), ("한글", ["\u1112\u1161\u11ab글"])]
)
def test_words_are_marked_in_text_whose_accents_stand_alone(query: str, found: list[str]) -> None:
    text = "A re\u0301sume\u0301, la\u0300; \u1112\u1161\u11ab글."
    assert [text[begin:end] for begin, end in places(query, text)] == found


def test_titles_come_before_messages(store: Store) -> None:
    first, *others = store.search("fox")
    assert (first.message, first.snippet, first.ranges) == (None, "All sorts of foxes", ((13, 16),))
    assert [hit.message is None for hit in others] == [False]


def test_a_message_that_is_more_about_it_comes_first_and_the_limit_holds(store: Store) -> None:
    chat = store.new_chat().id
    store.add(chat, None, "user", "zebra " + "and many other animals that live elsewhere " * 20)
    about = store.add(chat, None, "user", "zebra zebra zebra")
    assert store.search("zebra")[0].message == about.id
    assert len(store.search("zebra", limit=1)) == 1
    store.delete([chat])
    assert store.search("zebra") == []


def test_of_what_thousands_hold_the_newest_come_first(tmp_path: Path) -> None:
    nodes = tuple(
        Node(parent=None, role="user", text="zebra " * (1 + (number == 5)) + "and more", created=1.0)
        for number in range(2100)
    )
    with closing(Store.open(tmp_path)) as store:
        store.add_trees([ChatTree(title="", created=1.0, updated=1.0, nodes=nodes)])
        assert [hit.message for hit in store.search("zebra", limit=3)] == [2100, 2099, 2098]
        assert [hit.message for hit in store.search('"zebra zebra"')] == [6]


def test_a_long_message_is_shown_around_what_matched(store: Store) -> None:
    chat = store.new_chat().id
    store.add(chat, None, "user", "before " * 200 + "the needle\nis here " + "after " * 200)
    (hit,) = store.search("needle")
    assert len(hit.snippet) < 200
    assert hit.snippet.startswith("…")
    assert hit.snippet.endswith("…")
    assert "the needle is here" in hit.snippet
    assert [hit.snippet[start:end] for start, end in hit.ranges] == ["needle"]


def test_changed_and_removed_texts_are_found_as_they_are(store: Store) -> None:
    chat = store.new_chat().id
    answer = store.add(chat, None, "assistant", "", state="streaming")
    store.write(answer.id, "walrus")
    store.finish(answer.id, "penguin", "complete")
    store.set_automatic_title(chat, "giraffe")
    store.set_automatic_title(chat, "okapi")
    assert [len(store.search(word)) for word in ("walrus", "penguin", "giraffe", "okapi")] == [0, 1, 0, 1]


def test_a_damaged_index_is_made_again_and_nothing_else_is_lost(tmp_path: Path) -> None:
    with closing(Store.open(tmp_path)) as store:
        chat = store.new_chat().id
        texts = [f"sentence number {number} about badgers" for number in range(300)]
        nodes = tuple(Node(parent=None, role="user", text=text, created=1.0) for text in texts)
        store.add_trees([ChatTree(title="", created=1.0, updated=1.0, nodes=nodes)])
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as raw:
        raw.execute("UPDATE search_data SET block = zeroblob(length(block)) || 'x' WHERE id > 10")
    with closing(Store.open(tmp_path)) as store:
        assert store.notice is None
        assert len(store.search("badgers", limit=1000)) == 300
        store.add(chat, None, "user", "badgers again")
        assert len(store.search("badgers", limit=1000)) == 301
