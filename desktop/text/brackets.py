"""Markdown rules for brackets: markdown-it's own, which look for the end of each one far into the text."""

from __future__ import annotations

from collections.abc import Callable

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline, image, link

_Rule = Callable[[StateInline, bool], bool]


def brackets_plugin(md: MarkdownIt) -> None:
    """Read links and images. A bracket behind which none ends is text at once: a model that has lost its way writes
    thousands of them."""
    md.inline.ruler.at("link", _ended(link, "["))
    md.inline.ruler.at("image", _ended(image, "!["))


def _ended(rule: _Rule, sign: str) -> _Rule:
    """`rule`, for what begins with `sign`."""

    def read(state: StateInline, silent: bool) -> bool:
        if not state.src.startswith(sign, state.pos):
            return False
        kept: dict[str, int] = vars(state)
        if "last_bracket" not in kept:
            kept["last_bracket"] = state.src.rfind("]")
        return state.pos < kept["last_bracket"] and rule(state, silent)

    return read
