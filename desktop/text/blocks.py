"""What a text is made of: a flat list of frozen blocks. Lists and quotes are where a block stands, not a tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Align = Literal["", "left", "center", "right"]


@dataclass(frozen=True, slots=True)
class Span:
    """A run of text in one style. `math`: the text is LaTeX. "\\n" in a text is a line break."""

    text: str
    bold: bool = False
    italic: bool = False
    strike: bool = False
    code: bool = False
    math: bool = False
    raised: bool = False  # the mark of a footnote
    link: str | None = None  # an address that `check_link` accepts


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a block stands."""

    quote: int = 0  # depth of quotes around it
    indent: int = 0  # depth of lists around it
    hang: int = 0  # of these, how many are around the outermost quote
    marker: str | None = None  # where it opens a list item: "•" or "3.", or of a task "☐" or "☑"


NOWHERE = Place()


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """Lines of text."""

    spans: tuple[Span, ...]
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A title, level 1 to 6."""

    level: int
    spans: tuple[Span, ...]
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """Code, fenced or indented. Its text ends without a newline."""

    text: str
    language: str  # as written behind the fence, empty where nothing was
    closed: bool  # False while its end is still to come
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """Mathematics on a line of its own, as LaTeX."""

    source: str
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A line across."""

    place: Place = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of cells; the first row is the header. Every row has as many cells as `aligns`."""

    rows: tuple[tuple[tuple[Span, ...], ...], ...]
    aligns: tuple[Align, ...]
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line as someone typed it, without meaning of its own."""

    text: str
    place: Place = NOWHERE


def typed(text: str) -> list[Block]:
    """The lines of a text that is no Markdown."""
    return [Line(text=line) for line in text.split("\n")]


Block = Line | Paragraph | Heading | Fence | Formula | Rule | Table


def spans_of(block: Block) -> list[Span]:
    """All spans of a block, those in the cells of a table included."""
    match block:
        case Paragraph() | Heading():
            return list(block.spans)
        case Table():
            return [span for row in block.rows for cell in row for span in cell]
        case _:
            return []
