"""What reads Markdown, for the window and for what leaves it."""

from __future__ import annotations

from collections.abc import Callable

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, blockquote, list_block

from desktop.text.addresses import links_plugin
from desktop.text.brackets import brackets_plugin
from desktop.text.breaks import breaks_plugin
from desktop.text.maths import maths_plugin
from desktop.text.notes import notes_plugin, read_note
from desktop.text.tasks import tasks_plugin

_DEEPEST = 40  # quotes, lists and notes within each other; a list and its item count as two
_AROUND = ["paragraph", "reference", "blockquote"]  # what a list, a quote or a note may end
_Rule = Callable[[StateBlock, int, int, bool], bool]


class _Parser(MarkdownIt):
    def normalizeLinkText(self, link: str) -> str:
        """As it was written: another script in its host would hide behind its letters."""
        return link


def make_parser() -> MarkdownIt:
    """CommonMark with tables, strikethrough, mathematics, tasks, footnotes and bare addresses. HTML is text, but for
    breaks in the cells of tables."""
    md = _Parser("commonmark", {"html": False, "maxNesting": 2 * _DEEPEST}).enable(["table", "strikethrough"])
    md.block.ruler.at("list", _bounded(list_block), {"alt": _AROUND})
    md.block.ruler.at("blockquote", _bounded(blockquote), {"alt": [*_AROUND, "list"]})
    md.block.ruler.before("reference", "note", _bounded(read_note), {"alt": [*_AROUND, "list"]})
    brackets_plugin(md)
    maths_plugin(md)
    links_plugin(md)
    tasks_plugin(md)
    breaks_plugin(md)
    notes_plugin(md)
    return md


def _bounded(rule: _Rule) -> _Rule:
    """`rule`, but deeper it is text: beyond a bound of its own markdown-it leaves out that and all that follows."""

    def bounded(state: StateBlock, first: int, last: int, silent: bool) -> bool:
        return state.level < _DEEPEST and rule(state, first, last, silent)

    return bounded
