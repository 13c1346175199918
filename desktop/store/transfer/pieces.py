"""Large files of chats, in pieces short enough that another thread or program reads and writes chats in between."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from desktop.store.store import Store
from desktop.store.trees import ChatTree

_PIECE = 50_000  # characters of chats to a transaction
_REST = 0.01  # seconds between two: who waits to write looks only now and then
_REMOVED = 20  # chats to a transaction
_DEPTH = 3  # of JSON's lists and objects that are read part by part; below, a part is read in one go
_SPACE = re.compile(r"[ \t\n\r]*")


class CancelledError(Exception):
    """Whoever asked for it does not want it any more."""


def add_in_pieces(store: Store, trees: Sequence[ChatTree], went: Callable[[float], None]) -> list[int]:
    """Add whole chats and return their ids. Nothing is seen of them until all are there.

    `went` is told the share that is added by now, and may raise CancelledError. Raises StoreError where the disk fails.
    Nothing is left of them, then.
    """
    added: list[int] = []
    try:
        for piece in _pieces(trees):
            went(len(added) / len(trees))
            added += store.add_coming(piece)
            time.sleep(_REST)
        went(1)
        store.show_coming(trees, added)
    except BaseException:
        for start in range(0, len(added), _REMOVED):
            store.drop_coming(added[start : start + _REMOVED])
            time.sleep(_REST)
        raise
    return added


def _pieces(trees: Sequence[ChatTree]) -> Iterator[list[ChatTree]]:
    piece: list[ChatTree] = []
    size = 0
    for tree in trees:
        piece.append(tree)
        size += sum(len(node.text) for node in tree.nodes)
        if size > _PIECE:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


def parse(text: str) -> Any:
    """What json.loads makes of `text`, which lets no other thread run until it has read all. Raises ValueError."""
    value, at = _value(text, _after(text, 0), _DEPTH)
    if _after(text, at) != len(text):
        raise json.JSONDecodeError("Extra data", text, at)
    return value


_decoder = json.JSONDecoder()


def _value(text: str, at: int, depth: int) -> tuple[Any, int]:
    """The value that begins at a place, and where it ends."""
    opens = text[at : at + 1]
    if not depth or opens not in ("[", "{"):
        return _decoder.raw_decode(text, at)
    close = "]" if opens == "[" else "}"
    items: list[Any] = []
    members: dict[str, Any] = {}
    at = _after(text, at + 1)
    while text[at : at + 1] != close or items or members:
        if opens == "{":
            if text[at : at + 1] != '"':
                raise json.JSONDecodeError("Expecting a name", text, at)
            name, at = _decoder.raw_decode(text, at)
            at = _after(text, at)
            if text[at : at + 1] != ":":
                raise json.JSONDecodeError("Expecting ':'", text, at)
            members[name], at = _value(text, _after(text, at + 1), depth - 1)
        else:
            item, at = _value(text, at, depth - 1)
            items.append(item)
        at = _after(text, at)
        if text[at : at + 1] == close:
            break
        if text[at : at + 1] != ",":
            raise json.JSONDecodeError("Expecting ','", text, at)
        at = _after(text, at + 1)
    return (items if opens == "[" else members), at + 1


def _after(text: str, at: int) -> int:
    """Behind the space at a place."""
    found = _SPACE.match(text, at)
    return found.end() if found else at
