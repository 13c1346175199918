"""Footnotes: marks in the text, notes at its end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desktop.text import Block, Markdown, Rule, plain_text, spans_of


def read(text: str) -> list[Block]:
    return Markdown().update(text, final=True)


def marks(blocks: list[Block]) -> list[str]:
    return [span.text for block in blocks for span in spans_of(block) if span.raised]


def test_notes_stand_behind_a_line_at_the_end_wherever_they_were_written() -> None:
    found = read("One[^1] two[^b].\n\n[^1]: First,\n    *still*\n\n    more\n[^b]: second\n\nthree")
    assert plain_text(found).split("\n") == ["One[1] two[b].", "three", "", "[1] First,", "still", "more", "[b] second"]
    assert [type(block) is Rule for block in found] == [False, False, True, False, False, False]
    assert marks(found) == ["[1]", "[b]", "[1]", "[b]"]


def test_a_note_follows_a_list_or_a_quote_without_an_empty_line() -> None:
    for before in ("- item", "1. item", "> item", "item"):
        assert plain_text(read(f"{before}\n[^1]: note\n[^2]: other")).endswith("item\n\n[1] note\n[2] other")


def test_a_note_that_begins_with_no_words_has_its_label_on_a_line_of_its_own() -> None:
    assert plain_text(read("[^1]: - a\n    - b\n[^2]:")) == "\n[1]\n• a\n• b\n[2]"


@pytest.mark.parametrize("text", ["a[^1]", "`[^1]`\n\n[^1]: x", r"\[^1]" + "\n\n[^1]: x", "    [^1]: x"])
def test_what_is_no_mark_of_a_note_is_text(text: str) -> None:
    said = plain_text(read(text))
    assert "[^" in said
    assert marks(read(text)) in ([], ["[1]"])  # that of the note itself


def test_a_link_whose_words_look_like_a_mark_is_a_link() -> None:
    (block,) = read("[^1](https://a.b)")
    assert [(span.text, span.link) for span in spans_of(block)] == [("^1", "https://a.b")]


def test_a_number_is_a_mark_before_its_note_is_there() -> None:
    growing = Markdown()
    assert marks(growing.update("One[^1] and [^a-z]")) == ["[1]"]
    assert plain_text(growing.update("One[^1] and [^a-z]\n\n[^1]: no")) == "One[1] and [^a-z]\n[1] no"
    assert plain_text(growing.update("One[^2] and [^a-z]", final=True)) == "One[^2] and [^a-z]"


LINES = [
    "[^1]: n",
    "m[^1]",
    "[^2]:",
    "    z",
    "- i",
    "> q",
    "# [^2]",
    "",
    "",
    "|a|",
    "|---|",
    "|[^1]<br>x|",
    "$$",
    "\\[",
]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=12))
def test_every_prefix_with_notes_is_read_as_if_it_were_the_whole(lines: list[str]) -> None:
    text = "\n".join(lines)
    growing = Markdown()
    for end in range(0, len(text) + 1, 3):
        assert growing.update(text[:end]) == Markdown().update(text[:end])


def test_marks_without_an_end_are_looked_for_within_a_bound() -> None:
    text = "[^" + "x" * 100 + "]\n\n[^" + "x" * 100 + "]: y"
    assert marks(read(text)) == []
