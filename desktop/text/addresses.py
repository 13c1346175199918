"""Markdown rules for links: an address that stands in the text is one, and one that cannot be opened is text."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.common.utils import unescapeAll
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from desktop.text.links import check_link

# An address is one where its scheme is written: "www." and "name@host" also begin what nobody meant as a link, and we
# would have to invent a scheme for them. Rules are GFM's but for two, which its plugin and linkify-it lack: before an
# address any sign but an ASCII letter or number may stand, as Chinese knows no spaces, and signs of Chinese, Japanese
# and Arabic sentences end it as "<" does.
_SCHEME = re.compile(r"(?<![A-Za-z0-9+.-])https?$", re.IGNORECASE)
_LONGEST = 2000  # characters, as browsers take them
_ADDRESS = re.compile(
    r"https?://[^\s<>\[\]\"`|\x00-\x20\u060c\u061b\u061f\u2018-\u201f\u2026\u3000-\u303f"
    r"\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]"
    rf"{{1,{_LONGEST}}}",
    re.IGNORECASE,
)
_NEXT = re.compile(r"[,;](?=https?://)", re.IGNORECASE)  # between addresses of a list
_TAIL = "?!.,:;*_~'"
_ENTITY = re.compile(r"&[A-Za-z0-9]+;$")


def links_plugin(md: MarkdownIt) -> None:
    """Read bare addresses, and turn links that `check_link` refuses into their words and their address."""
    md.inline.ruler.before("newline", "address", _address)
    md.core.ruler.push("refused_links", _refuse)


def _address(state: StateInline, silent: bool) -> bool:
    if silent or state.linkLevel or not state.src.startswith("://", state.pos):
        return False  # silent: the words of a link are being looked through for their end
    scheme = _SCHEME.search(state.pending[-6:])  # of a line without end, too, no more
    found = scheme and _ADDRESS.match(state.src, state.pos - len(scheme[0]), state.posMax)
    if not scheme or not found or len(found[0]) > _LONGEST:
        return False
    written = _without_tail(_NEXT.split(found[0], maxsplit=1)[0])
    shown = unescapeAll(written)
    if not check_link(shown):
        return False
    state.pending = state.pending[: -len(scheme[0])]
    state.push("link_open", "a", 1).attrs = {"href": shown}
    state.push("text", "", 0).content = shown
    state.push("link_close", "a", -1)
    state.pos += len(written) - len(scheme[0])
    return True


def _without_tail(address: str) -> str:
    """`address` without the signs of the sentence around it; brackets that are closed in it belong to it."""
    while True:
        shorter = _ENTITY.sub("", address).rstrip(_TAIL)
        if shorter.endswith(")") and shorter.count(")") > shorter.count("("):
            shorter = shorter[:-1]
        if shorter == address:
            return address
        address = shorter


def _refuse(state: StateCore) -> None:
    for token in state.tokens:
        if token.children and any(child.type == "link_open" for child in token.children):
            token.children = _checked(token.children)


def _checked(tokens: list[Token]) -> list[Token]:
    kept: list[Token] = []
    refused = ""  # address of the link around
    for token in tokens:
        if token.type == "link_open":
            address = str(token.attrGet("href") or "")
            link = check_link(address)
            refused = "" if link else address
            if link:
                token.attrSet("href", link.address)
        elif token.type == "link_close" and refused:
            if kept and kept[-1].content != refused:
                kept.append(Token("text", "", 0, content=f" ({refused})", level=token.level))
            refused = ""
            continue
        if token.type != "link_open" or not refused:
            kept.append(token)
    return kept
