"""Which way a text runs: as the first of its letters that have a way, which is what browsers make of `dir="auto"`."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Literal

from desktop.text.blocks import Table, spans_of

Direction = Literal["ltr", "rtl"]

_STRONG: dict[str, Direction] = {"L": "ltr", "R": "rtl", "AL": "rtl"}


def direction(texts: Iterable[str]) -> Direction | None:
    """Of texts one after the other; None where they have no such letter."""
    found = (_STRONG.get(unicodedata.bidirectional(letter)) for text in texts for letter in text)
    return next((way for way in found if way), None)


def is_mirrored(table: Table) -> bool:
    """Whether its first column is the one at the right. The letters of formulas are no words."""
    return direction(span.text for span in spans_of(table) if not span.math) == "rtl"
