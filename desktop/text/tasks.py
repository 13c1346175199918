"""A Markdown rule for lists of tasks: what an item begins with shows whether it is done."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

TASKS = OPEN, DONE = "☐", "☑"

_BOX = re.compile(r"\[([ xX])\][ \t]+")


def tasks_plugin(md: MarkdownIt) -> None:
    """Read `[ ]` and `[x]` as tokens `task`, whose content is the sign to show.

    mdit_py_plugins has them as fields of a form, in HTML, which are neither found, copied nor printed as text.
    """
    md.core.ruler.before("text_join", "tasks", _read)  # as long as a bracket that is escaped is told apart


def _read(state: StateCore) -> None:
    tokens = state.tokens
    for item, paragraph, inline in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if item.type != "list_item_open" or paragraph.type != "paragraph_open" or not inline.children:
            continue
        first = inline.children[0]
        box = _BOX.match(first.content) if first.type == "text" else None
        if box:
            first.content = first.content[box.end() :]
            inline.children.insert(0, Token("task", "", 0, content=OPEN if box[1] == " " else DONE))
            item.attrJoin("class", "task")
