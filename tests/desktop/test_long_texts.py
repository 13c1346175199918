"""Markdown that nobody means is read in a time that grows as it does, not as its square."""

from __future__ import annotations

import pytest
from markdown_it.token import Token

from desktop.text import Block, Formula, Markdown, Paragraph, Span, Table, plain_text, spans_of
from desktop.text.tokens import read_spans
from tests.desktop.effort import calls

_PIECES = 300


def read(text: str) -> list[Block]:
    return Markdown().update(text, final=True)


@pytest.mark.parametrize("piece", ["[", "![", "[a", "[!", "[`a`", "[^1", "~[", "[<"])
def test_no_end_is_looked_for_of_brackets_behind_which_none_ends(piece: str) -> None:
    text = "[a]: https://a.example\n\n" + piece * _PIECES
    assert calls(lambda: read(text))["parseLinkLabel"] == 0
    assert plain_text(read(text)) == piece.replace("`", "") * _PIECES


@pytest.mark.parametrize("piece", ["$$ a\n\n", "\\[ a\n\n", "- $$\n\n"])
def test_twice_as_many_formulas_without_an_end_take_twice_the_work(piece: str) -> None:
    once, twice = calls(lambda: read(piece * _PIECES)), calls(lambda: read(piece * 2 * _PIECES))
    assert twice.total() < 2.5 * once.total()


def test_brackets_that_end_are_still_links_and_images() -> None:
    text = "[a [b]](https://a.example) [[c](https://b.example)](d) ![e [f](g)](h) [i][r] [r] [[r]]\n\n[r]: https://c.example"
    (block,) = Markdown().update(text, final=True)
    assert [(span.text, span.link) for span in spans_of(block) if span.link] == [
        ("a [b]", "https://a.example"),
        ("c", "https://b.example"),
        ("i", "https://c.example"),
        ("r", "https://c.example"),
        ("r", "https://c.example"),
    ]
    assert "e [f](g) (h)" in plain_text([block])


def test_mathematics_without_an_end_within_a_line_is_looked_for_once() -> None:
    assert calls(lambda: read("a " + r"\[ \( " * 1000))["find"] < 1000


def test_dollars_end_at_the_next_line_that_ends_with_some_or_are_text() -> None:
    text = "$$\nc\n\nd\n$$\n\n$$ e $$\n\n> $$\n> f\n> $$\n\n$$ g\n\n$$ h"
    assert plain_text(read(text)) == "c\n\nd\ne\nf\n$$ g\n$$ h"
    assert [type(block) for block in read(text)] == [Formula] * 3 + [Paragraph] * 2


def test_a_text_of_many_pieces_of_one_style_is_put_together_at_once() -> None:
    many, letters = 100_000, 1000  # put together one by one, half a terabyte would be copied ten times
    assert read_spans([Token("text", "", 0, content="x" * letters)] * many) == (Span("x" * many * letters),)


def test_blanks_in_a_cell_are_looked_at_once() -> None:
    blanks = " " * 2_000_000  # hours, where a break is looked for from each of them
    (table,) = read(f"|a|\n|---|\n|b{blanks}c<br>{blanks}d{blanks}<br>e|")
    assert isinstance(table, Table)
    assert plain_text([table]) == f"a\nb{blanks}c\nd\ne"


def test_the_lines_of_a_text_that_grows_are_counted_once_for_all_its_code() -> None:
    text = "> ```\n" * 2001
    splits = calls(lambda: Markdown().update(text))["split"]
    assert splits < 100
