"""A Markdown rule for tables: `<br>` in a cell, which knows no other way to break a line, does so."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

_BREAK = re.compile(r"<br[ \t]*/?>", re.IGNORECASE)
_BLANKS = " \t"  # around one they are dropped: not by the pattern, which would begin anew at each of many


def breaks_plugin(md: MarkdownIt) -> None:
    """Read `<br>` in cells as a break. All other HTML is text, and so is this elsewhere."""
    md.core.ruler.before("text_join", "breaks", _read)  # as long as a sign that is escaped is told apart


def _read(state: StateCore) -> None:
    for cell, inline in zip(state.tokens, state.tokens[1:], strict=False):
        if cell.type in ("th_open", "td_open") and inline.children:
            inline.children = list(_broken(inline.children))


def _broken(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        if token.type != "text" or not _BREAK.search(token.content):
            yield token
            continue
        pieces = _BREAK.split(token.content)
        for nth, whole in enumerate(pieces):
            piece = whole
            if nth:
                yield Token("hardbreak", "br", 0, level=token.level)
                piece = piece.lstrip(_BLANKS)
            if nth < len(pieces) - 1:
                piece = piece.rstrip(_BLANKS)
            if piece:
                yield Token("text", "", 0, content=piece, level=token.level)
