r"""Markdown rules for mathematics between $ and $, $$ and $$, \( and \), and \[ and \]."""

from __future__ import annotations

from collections.abc import Callable

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.dollarmath.index import math_block_dollar, math_inline_dollar

ENDS = {r"\(": r"\)", r"\[": r"\]"}
# In the environment of a reading: from which line on no formula of these signs ends, by a block's last line.
_ENDLESS = {"$$": "endless_dollars", r"\[": "endless_brackets"}


def maths_plugin(md: MarkdownIt) -> None:
    """Read mathematics: tokens `math_inline`, `math_inline_double` and `math_block`."""
    dollarmath_plugin(md, allow_labels=False, allow_space=False, allow_digits=False, double_inline=True)
    md.block.ruler.at("math_block", _to_an_end(math_block_dollar(False, None, True)))
    md.inline.ruler.at("math_inline", _from_the_start(math_inline_dollar(False, False, True)))
    _brackets_plugin(md)


def maths_source(token: Token) -> str:
    """A formula as it was written, its delimiters included."""
    return token.markup + token.content + ENDS.get(token.markup, token.markup)


def _from_the_start(rule: Callable[[StateInline, bool], bool]) -> Callable[[StateInline, bool], bool]:
    """`rule`, which reads no formula after a digit, and takes the last sign of a text for the one before its first."""

    def read(state: StateInline, silent: bool) -> bool:
        if state.pos:
            return rule(state, silent)
        state.src += " "
        try:
            return rule(state, silent)
        finally:
            state.src = state.src[:-1]

    return read


def _to_an_end(rule: Callable[[StateBlock, int, int, bool], bool]) -> Callable[[StateBlock, int, int, bool], bool]:
    """`rule`, which looks for the end of a formula on the lines after its first one, for each formula anew."""

    def read(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
        if not state.src.startswith("$$", state.bMarks[start_line] + state.tShift[start_line]):
            return False
        endless = state.env.setdefault(_ENDLESS["$$"], {})
        if endless.get(end_line, start_line + 1) > start_line:
            for line in range(start_line + 1, end_line):
                if state.src[state.bMarks[line] : state.eMarks[line]].rstrip().endswith("$$"):
                    return rule(state, start_line, line + 1, silent)
            endless[end_line] = start_line
        return rule(state, start_line, start_line + 1, silent)

    return read


def _brackets_plugin(md: MarkdownIt) -> None:
    r"""Read \( \) and \[ \] within lines, and \[ \] over several lines that a block starts with."""
    md.inline.ruler.before("escape", "math_brackets", _inline)
    md.block.ruler.before(
        "fence", "math_brackets_block", _block, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )


def _inline(state: StateInline, silent: bool) -> bool:
    end = ENDS.get(state.src[state.pos : state.pos + 2])
    if end is None:
        return False
    lasts: dict[str, int] = vars(state).setdefault("last_ends_of_maths", {})
    if end not in lasts:
        lasts[end] = state.src.rfind(end)
    if lasts[end] < state.pos:
        return False
    found = state.src.find(end, state.pos + 2, state.posMax)
    if found < 0 or not state.src[state.pos + 2 : found].strip():
        return False
    if not silent:
        token = state.push("math_inline", "math", 0)
        token.content, token.markup = state.src[state.pos + 2 : found], state.src[state.pos : state.pos + 2]
    state.pos = found + 2
    return True


def _block(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    start = state.bMarks[start_line] + state.tShift[start_line]
    if state.is_code_block(start_line) or not state.src.startswith(r"\[", start):
        return False
    endless = state.env.setdefault(_ENDLESS[r"\["], {})
    if endless.get(end_line, start_line + 1) <= start_line:
        return False
    for line in range(start_line, end_line):
        found = state.src.find(r"\]", start + 2 if line == start_line else state.bMarks[line], state.eMarks[line])
        if found < 0:
            continue
        if state.src[found + 2 : state.eMarks[line]].strip() or not state.src[start + 2 : found].strip():
            return False  # text goes on behind it: mathematics within a line
        if not silent:
            token = state.push("math_block", "math", 0)
            token.content, token.markup = state.src[start + 2 : found], state.src[start : start + 2]
            token.map, token.block = [start_line, line + 1], True
            state.line = line + 1
        return True
    endless[end_line] = start_line
    return False
