"""Markdown of a model, read as it grows: only what may still change is read again."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

from markdown_it.token import Token

from desktop.text.blocks import Block, Span, Table
from desktop.text.notes import GROWING
from desktop.text.parser import make_parser
from desktop.text.tokens import read_blocks

_NUMBER = re.compile(r"\d{1,9}[.)]?")

_parser = cache(make_parser)


class Markdown:
    """A text and its blocks. Blocks that cannot change any more stay the same objects while the text grows."""

    def __init__(self) -> None:
        self._text = ""
        self._forget()
        self.blocks: list[Block] = []

    def _forget(self) -> None:
        self._offset = 0  # of the text behind what is settled
        self._settled: list[Block] = []
        self._number: int | None = None  # of the list item that comes first behind them
        self._references: dict[str, dict[str, Any]] = {}  # link definitions in the settled blocks
        self._head = ""  # the first two lines of a table whose rows go on behind what is settled
        self._rows: tuple[tuple[tuple[Span, ...], ...], ...] = ()  # of that table, its first one included

    def unread(self, text: str, *, final: bool = False) -> int:
        """How many characters `update` would read."""
        return len(text) - (self._offset if not final and text.startswith(self._text) else 0)

    def update(self, text: str, *, final: bool = False) -> list[Block]:
        """Read `text`, cheap where it only grew since the last call. `final` reads all of it as one whole."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        if final or not text.startswith(self._text):
            self._forget()
        self._text = text
        tail, before = self._head + text[self._offset :], self._offset - len(self._head)
        environment: dict[str, Any] = {"references": dict(self._references)}
        if not final:
            environment[GROWING] = True
        tokens = _parser().parse(tail, environment)
        start, line = (0, 0) if final else _last_start(tokens)
        place = before + _length(tail, line)  # of what follows in the text
        if line:
            found = environment["references"].items()  # a definition that may still grow is none yet
            self._references |= {name: one for name, one in found if one["map"][1] <= line}
            settled, number = read_blocks(tokens[:start], tail, final=True, first=self._number)
            self._settled += self._joined(settled)
            self._number = number if tokens[start].type == "list_item_open" else None
            self._offset, self._head, self._rows = place, "", ()
        blocks, _ = read_blocks(tokens[start:], tail, final=final, first=self._number)
        blocks = self._joined(blocks)
        self.blocks = self._settled + blocks
        if not final and tokens and tokens[start].type == "table_open":
            self._settle_rows(blocks[0], tail.split("\n")[slice(*tokens[start].map or ())], place)
        return self.blocks

    def _joined(self, blocks: list[Block]) -> list[Block]:
        """`blocks`, the first of them with the rows of it that are settled."""
        if not self._rows or not blocks or not isinstance(blocks[0], Table):
            return blocks
        return [replace(blocks[0], rows=self._rows + blocks[0].rows[1:]), *blocks[1:]]

    def _settle_rows(self, table: Block, lines: list[str], offset: int) -> None:
        """Settle all rows but the last one, of a table of these lines; `offset`: of the first line in the text."""
        settled = lines[:-1]
        if isinstance(table, Table) and len(lines) > 3 and not _opens_maths("\n".join(settled)):
            self._head = "\n".join(lines[:2]) + "\n"
            self._rows = table.rows[:-1]
            self._offset = offset + sum(len(line) + 1 for line in settled)


def _length(text: str, lines: int) -> int:
    """Of the first so many lines of a text."""
    return len(text) - len(text.split("\n", lines)[-1])


def _last_start(tokens: list[Token]) -> tuple[int, int]:
    """Index of the token and line from which on text may still be read otherwise.

    That is the last top-level block, or the last item where it is a list, or a formula that has not ended yet.
    """
    if not tokens:
        return 0, 0
    tops = [index for index, token in enumerate(tokens) if token.level == 0 and token.nesting >= 0]
    start = tops[-1]
    is_number = tokens[start].type == "paragraph_open" and _NUMBER.fullmatch(tokens[start + 1].content)
    if len(tops) > 1 and (is_number or tokens[start].type == "math_block"):
        start = tops[-2]  # perhaps the next item of the list before it; more on its line makes a formula a part of it
    starts = [top for top in tops if top <= start]
    if tokens[start].type in ("bullet_list_open", "ordered_list_open"):
        items = (i for i in range(start, len(tokens)) if tokens[i].type == "list_item_open" and tokens[i].level == 1)
        starts += items
    for first, after in pairwise(starts):
        if any(token.type == "inline" and _opens_maths(token.content) for token in tokens[first:after]):
            start = first
            break
    else:
        start = starts[-1]
    mark = tokens[start].map
    return (start, mark[0]) if mark else (0, 0)


def _opens_maths(text: str) -> bool:
    """Perhaps: a formula begins with a line, and what is read once more costs little."""
    if not any(line.lstrip().startswith(("$$", r"\[")) for line in text.split("\n")):
        return False
    begins, ends = text.count(r"\["), text.count(r"\]")
    return text.count("$$") % 2 == 1 or begins > ends or text.rfind(r"\[") > text.rfind(r"\]")
