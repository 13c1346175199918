"""Tokens of markdown-it to blocks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from itertools import groupby
from operator import attrgetter

from markdown_it.token import Token

from desktop.text.blocks import Align, Block, Fence, Formula, Heading, Paragraph, Place, Rule, Span, Table

_STYLES = {"strong", "em", "s"}
_STYLE = attrgetter(*(part.name for part in fields(Span) if part.name != "text"))
_ALIGNS: dict[str, Align] = {f"text-align:{side}": side for side in ("left", "center", "right")}
_FENCE_END = re.compile(r"^[ >\t]*(`{3,}|~{3,})[ \t]*$")


def read_blocks(
    tokens: Sequence[Token], source: str, *, final: bool, first: int | None = None
) -> tuple[list[Block], int | None]:
    """Blocks of `tokens`, which were read from `source`, and the next number of a list that they end within.

    `final`: a fence without an end counts as closed. `first`: number of the item that they begin with, where that is
    known from the list that it goes on.
    """
    reader = _Reader(source, final, first)
    for token in tokens:
        reader.read(token)
    return reader.blocks, reader.numbers[0] if reader.numbers else None


@dataclass
class _Reader:
    source: str
    final: bool
    first: int | None
    blocks: list[Block] = field(default_factory=list)
    quote: int = 0
    hang: int = 0
    numbers: list[int | None] = field(default_factory=list)  # of each list around: the next number, None where bullets
    marker: str | None = None  # of an item that has no block yet
    heading: int = 0
    rows: list[list[tuple[Span, ...]]] | None = None
    aligns: list[Align] = field(default_factory=list)

    @cached_property
    def _lines(self) -> list[str]:
        return self.source.split("\n")  # once for all fences

    def read(self, token: Token) -> None:
        match token.type:
            case "blockquote_open" | "blockquote_close":
                if not self.quote:
                    self.hang = len(self.numbers)
                self.quote += token.nesting
            case "bullet_list_open":
                self.numbers.append(None)
            case "ordered_list_open":
                self.numbers.append(self._first_number(str(token.attrGet("start") or 1)))
            case "bullet_list_close" | "ordered_list_close":
                self.numbers.pop()
            case "list_item_open":
                self._open_item(token)
            case "list_item_close":
                self._show_marker()
            case "heading_open":
                self.heading = int(token.tag[1])
            case "heading_close":
                self.heading = 0
            case "inline":
                self._inline(token)
            case "fence" | "code_block":
                self._code(token)
            case "math_block":
                self._show_marker()
                self.blocks.append(Formula(source=token.content.strip(), place=self._place()))
            case "hr":
                self._show_marker()
                self.blocks.append(Rule(place=self._place()))
            case "table_open" | "tr_open" | "th_open" | "table_close":
                self._table(token)

    def _open_item(self, token: Token) -> None:
        if not self.numbers:  # the reading began at an item within a list
            self.numbers.append(self._first_number(token.info) if token.info else None)
        self._show_marker()
        number = self.numbers[-1]
        if number is None:
            self.marker = "•"
        else:
            self.marker, self.numbers[-1] = f"{number}.", number + 1

    def _first_number(self, written: str) -> int:
        number, self.first = int(written) if self.first is None else self.first, None
        return number

    def _place(self) -> Place:
        hang = self.hang if self.quote else 0
        place = Place(quote=self.quote, indent=len(self.numbers), hang=hang, marker=self.marker)
        self.marker = None
        return place

    def _show_marker(self) -> None:
        """An item that opens with no text of its own gets an empty paragraph for its marker."""
        if self.marker is not None:
            self.blocks.append(Paragraph(spans=(), place=self._place()))

    def _inline(self, token: Token) -> None:
        children = token.children or []
        if self.marker == "•" and children and children[0].type == "task":
            self.marker, children = children[0].content, children[1:]
        spans = read_spans(children)
        if self.rows is not None:
            self.rows[-1].append(spans)
        elif self.heading:
            self.blocks.append(Heading(level=self.heading, spans=spans, place=self._place()))
        else:
            self.blocks.append(Paragraph(spans=spans, place=self._place()))

    def _code(self, token: Token) -> None:
        self._show_marker()
        closed = self.final or token.type == "code_block"
        if not closed and token.map:
            last = self._lines[token.map[1] - 1 : token.map[1]]
            end = _FENCE_END.match(last[0]) if last and token.map[1] - token.map[0] > 1 else None
            closed = end is not None and end[1].startswith(token.markup)
        language = token.info.strip().split(" ")[0] if token.info.strip() else ""
        text = token.content.removesuffix("\n")
        self.blocks.append(Fence(text=text, language=language, closed=closed, place=self._place()))

    def _table(self, token: Token) -> None:
        if token.type == "table_open":
            self._show_marker()
            self.rows = []
        elif token.type == "tr_open" and self.rows is not None:
            self.rows.append([])
        elif token.type == "th_open":
            self.aligns.append(_ALIGNS.get(str(token.attrGet("style")), ""))
        elif self.rows:
            width = len(self.rows[0])
            rows = tuple(tuple(row[:width] + [()] * (width - len(row))) for row in self.rows)
            aligns = tuple((self.aligns + [""] * width)[:width])
            self.blocks.append(Table(rows=rows, aligns=aligns, place=self._place()))
            self.rows, self.aligns = None, []


def read_spans(tokens: Sequence[Token]) -> tuple[Span, ...]:
    """Inline tokens to spans. An image is its words and its address."""
    spans: list[Span] = []
    style = Span("")
    for token in tokens:
        name, _, end = token.type.rpartition("_")
        match token.type:
            case "text":
                spans.append(replace(style, text=token.content))
            case "code_inline":
                spans.append(replace(style, text=token.content, code=True))
            case "math_inline" | "math_inline_double":
                spans.append(replace(style, text=token.content.strip(), math=True))
            case "softbreak" | "hardbreak":  # models break lines where they mean it
                spans.append(replace(style, text="\n"))
            case "image":
                words, address = token.content.strip(), str(token.attrGet("src") or "")
                spans.append(replace(style, text=f"{words} ({address})" if words else address))
            case "task":
                spans.append(replace(style, text=f"{token.content} "))
            case "note_mark" | "note_label":
                spans.append(replace(style, text=f"[{token.content}]", raised=True))
            case "link_open":
                style = replace(style, link=str(token.attrGet("href")))
            case "link_close":
                style = replace(style, link=None)
            case _ if name in _STYLES:
                style = _styled(style, name, end == "open")
            case _:
                spans.append(replace(style, text=token.content))
    return _merged(spans)


def _styled(style: Span, name: str, on: bool) -> Span:
    match name:
        case "strong":
            return replace(style, bold=on)
        case "em":
            return replace(style, italic=on)
        case _:
            return replace(style, strike=on)


def _merged(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Neighbours of one style as one span; empty ones left out."""
    merged: list[Span] = []
    for _, run in groupby((span for span in spans if span.text), key=_STYLE):
        first, *more = run
        if first.math:  # each a formula of its own
            merged += first, *more
        else:
            merged.append(replace(first, text="".join(span.text for span in (first, *more))) if more else first)
    return tuple(merged)
