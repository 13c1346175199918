"""Markdown rules for footnotes: a mark where `[^1]` stands, and at the end of the text what `[^1]: …` says."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from mdit_py_plugins.footnote.index import footnote_def

GROWING = "growing"
"""In the environment of a reading: more text may come. Notes then stay where they are written, which is at the end most
often, and a number is a mark though its note is not there yet."""

MARKS = "note_mark", "note_label"
"""Tokens, whose content is the label: in the text, and what its note begins with."""

_LABEL = r"\[\^([^\s\[\]^]{1,60})\]"
_MARK = re.compile(_LABEL)
_DEFINITION = re.compile(_LABEL + ":")
_NUMBER = re.compile(r"\d{1,3}")


def notes_plugin(md: MarkdownIt) -> None:
    """Read footnotes, where `read_note` reads blocks. A mark without a note is text, and a note without a mark stands
    with the others."""
    md.inline.ruler.after("image", "note_mark", _mark)
    md.core.ruler.push("notes", _move)


def read_note(state: StateBlock, first: int, last: int, silent: bool) -> bool:
    """A rule for what `[^1]:` begins."""
    start = state.bMarks[first] + state.tShift[first]
    if state.is_code_block(first) or not _DEFINITION.match(state.src, start, state.eMarks[first]):
        return False
    return footnote_def(state, first, last, silent)


def _mark(state: StateInline, silent: bool) -> bool:
    found = _MARK.match(state.src, state.pos, state.posMax)
    if not found:
        return False
    known = f":{found[1]}" in state.env.get("footnotes", {}).get("refs", ())
    if not known and not (GROWING in state.env and _NUMBER.fullmatch(found[1])):
        return False
    if not silent:
        state.push("note_mark", "", 0).content = found[1]
    state.pos = found.end()
    return True


def _move(state: StateCore) -> None:
    """Give each note its label, and put those that stand in nothing else behind a line at the end."""
    around: list[list[Token]] = [[]]  # of what is read: the text, and the notes that it is in
    notes: list[Token] = []
    for token in state.tokens:
        if token.type == "footnote_reference_open":
            around.append([token])
        elif token.type != "footnote_reference_close":
            around[-1].append(token)
        else:
            opening, *said = around.pop()
            said = _labelled(opening.meta["label"], said, opening.level + 1)
            if GROWING in state.env:
                around[-1] += [opening, *said, token]
                continue
            for part in said:
                part.level -= 1
            if opening.level:
                around[-1] += said
            else:
                notes += said
    if notes:
        notes.insert(0, Token("hr", "hr", 0, markup="---", block=True))
    state.tokens = around[0] + notes


def _labelled(label: str, said: Sequence[Token], level: int) -> list[Token]:
    mark = Token("note_label", "", 0, content=label)
    if said and said[0].type == "paragraph_open":
        said[1].children = [mark, Token("text", "", 0, content=" "), *(said[1].children or ())]
        return list(said)
    return [
        Token("paragraph_open", "p", 1, level=level, block=True),
        Token("inline", "", 0, level=level + 1, block=True, children=[mark]),
        Token("paragraph_close", "p", -1, level=level, block=True),
        *said,
    ]
