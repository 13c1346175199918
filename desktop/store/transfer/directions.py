"""A Markdown rule for pages: each block says which way it runs."""

from __future__ import annotations

from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from desktop.text import direction

_WORDS = ("text", "code_inline")
_BLOCKS = ("paragraph_open", "heading_open", "bullet_list_open", "ordered_list_open", "blockquote_open")

MIRROR = "mirror"
"""In the environment of a reading: put the columns of a table in the order in which they are seen, as Qt has the first
one at the left in any."""


def directions_plugin(md: MarkdownIt) -> None:
    """Set `dir` of outer blocks and of tables: blocks of one message may run both ways."""
    md.core.ruler.push("directions", _read)


def _read(state: StateCore) -> None:
    for start, token in enumerate(state.tokens):
        if token.type == "table_open" or (token.level == 0 and token.type in _BLOCKS):
            end = _end(state.tokens, start)
            way = direction(_words(state.tokens[start:end]))
            if way:
                token.attrSet("dir", way)
            if way == "rtl" and token.type == "table_open" and MIRROR in state.env:
                state.tokens[start:end] = _mirrored(state.tokens[start:end])


def _end(tokens: Sequence[Token], start: int) -> int:
    """Place of what closes the block that begins at `start`."""
    return next(place for place in range(start + 1, len(tokens)) if tokens[place].level == tokens[start].level)


def _words(tokens: Sequence[Token]) -> list[str]:
    return [child.content for token in tokens for child in token.children or () if child.type in _WORDS]


def _mirrored(tokens: Sequence[Token]) -> list[Token]:
    """Of a table, with the cells of each row the other way round; they begin at the right unless they say otherwise."""
    made: list[Token] = []
    row: list[Token] = []
    for token in tokens:
        if token.type == "inline" or token.tag in ("th", "td"):
            row.append(token)
            if token.type in ("th_open", "td_open") and not token.attrGet("style"):
                token.attrSet("style", "text-align:right")
            continue
        cells = [row[place : place + 3] for place in range(0, len(row), 3)]  # what opens it, its words, what closes it
        made += [part for cell in reversed(cells) for part in cell]
        made.append(token)
        row = []
    return made
