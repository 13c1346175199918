"""HTML in which a text cannot become markup: only what `element` made passes unescaped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

_VOID = frozenset({"meta", "rect", "line", "br"})
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9:-]*")


class Markup(str):
    """Finished HTML. Made by `element`, `joined` and `trusted` only."""

    __slots__ = ()


def element(name: str, /, *children: object, **attributes: object) -> Markup:
    """`<name …>children</name>`. Children that are no Markup are escaped, values of attributes always.

    None is left out. `class_` is class, and an underscore inside a name a hyphen: `aria_label`, `fill_opacity`.
    """
    pairs = []
    for key, value in attributes.items():
        if value is None:
            continue
        written = key.rstrip("_").replace("_", "-")
        if not _NAME.fullmatch(written):
            raise ValueError(f"{key} cannot name an attribute")
        pairs.append(f' {written}="{html.escape(str(value))}"')
    opening = f"<{name}{''.join(pairs)}"
    if name in _VOID and not children:
        return Markup(f"{opening}/>")
    return Markup(f"{opening}>{joined(children)}</{name}>")


def joined(parts: Iterable[object]) -> Markup:
    """The parts one after another; None is left out."""
    return Markup("".join(p if isinstance(p, Markup) else html.escape(str(p)) for p in parts if p is not None))


def trusted(text: str) -> Markup:
    """A text of our own source as it is. Never for one that comes from a file."""
    return Markup(text)
