"""Titles that chats get by themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desktop.controllers.titles import title_of


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("What is the capital of France?", "What is the capital of France?"),
        ("\n\n  # Plan \nfor today", "Plan"),
        ("```\nprint(1)\n```", "print(1)"),
        (
            "Please write a long and winding story about a lighthouse keeper",
            "Please write a long and winding story about a…",
        ),
        ("法国的首都是哪里？", "法国的首都是哪里？"),
        ("a" * 80, "a" * 48 + "…"),
        ("???", "???"),
    ],
)
def test_a_title_is_the_first_line_that_says_something(text: str, title: str) -> None:
    assert title_of(text) == title


@given(st.text(min_size=1).filter(str.strip))
def test_a_title_is_one_short_line(text: str) -> None:
    title = title_of(text)
    assert 1 <= len(title) <= 49
    assert len(title.splitlines()) == 1
