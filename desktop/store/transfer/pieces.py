"""Large files of chats, in pieces short enough that another thread or program reads and writes chats in between."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from desktop.store.store import Store
from desktop.store.transfer.progress import Progress, Went
from desktop.store.trees import ChatTree

_PIECE = 50_000  # characters of chats to a transaction
_REST = 0.01  # seconds between two: who waits to write looks only now and then
_REMOVED = 20  # chats to a transaction
_DEPTH = 4  # of JSON's lists and objects that are read part by part, to messages; below, a part is read in one go
_KNOWN = 1.0  # seconds after which what was added says how long the rest takes
_SPACE = re.compile(r"[ \t\n\r]*")


class CancelledError(Exception):
    """Whoever asked for it does not want it any more."""


def add_in_pieces(store: Store, trees: Sequence[ChatTree], went: Went) -> list[int]:
    """Add whole chats and return their ids. Nothing is seen of them until all are there.

    `went` may raise CancelledError. Raises StoreError where the disk fails. Nothing is left of them, then.
    """
    added: list[int] = []
    behind, whole, begun = 0, sum(map(_size, trees)), time.monotonic()
    try:
        for piece, size in _pieces(trees):
            went(_adding(len(added), len(trees), behind / whole if whole else 0.0, time.monotonic() - begun))
            added += store.add_coming(piece)
            behind += size
            time.sleep(_REST)
        went(Progress("adding", len(added), len(trees), 1.0))
        store.show_coming(trees, added)
    except BaseException:
        for start in range(0, len(added), _REMOVED):
            store.drop_coming(added[start : start + _REMOVED])
            time.sleep(_REST)
        raise
    return added


def _adding(done: int, whole: int, share: float, seconds: float) -> Progress:
    left = seconds * (1 - share) / share if share and seconds > _KNOWN else None
    return Progress("adding", done, whole, share, left)


def _size(tree: ChatTree) -> int:
    return sum(len(node.text) for node in tree.nodes)


def _pieces(trees: Sequence[ChatTree]) -> Iterator[tuple[list[ChatTree], int]]:
    """Each with its characters."""
    piece: list[ChatTree] = []
    size = 0
    for tree in trees:
        piece.append(tree)
        size += _size(tree)
        if size > _PIECE:
            yield piece, size
            piece, size = [], 0
    if piece:
        yield piece, size


def parse(text: str, went: Callable[[float], None]) -> Any:
    """What json.loads makes of `text`, which lets no other thread run until it has read all. Raises ValueError.

    `went` is told, again and again, the share that is read by now, and may raise CancelledError.
    """
    reader = _Reader(text, went)
    value, at = reader.value(reader.after(0), _DEPTH)
    if reader.after(at) != len(text):
        raise json.JSONDecodeError("Extra data", text, at)
    return value


class _Reader:
    def __init__(self, text: str, went: Callable[[float], None]) -> None:
        self._text, self._went = text, went
        self._decoder = json.JSONDecoder()

    def value(self, at: int, depth: int) -> tuple[Any, int]:
        """The value that begins at a place, and where it ends."""
        self._went(at / max(len(self._text), 1))
        text = self._text
        opens = text[at : at + 1]
        if not depth or opens not in ("[", "{"):
            return self._decoder.raw_decode(text, at)
        close = "]" if opens == "[" else "}"
        items: list[Any] = []
        members: dict[str, Any] = {}
        at = self.after(at + 1)
        while text[at : at + 1] != close or items or members:
            if opens == "{":
                if text[at : at + 1] != '"':
                    raise json.JSONDecodeError("Expecting a name", text, at)
                name, at = self._decoder.raw_decode(text, at)
                at = self.after(at)
                if text[at : at + 1] != ":":
                    raise json.JSONDecodeError("Expecting ':'", text, at)
                members[name], at = self.value(self.after(at + 1), depth - 1)
            else:
                item, at = self.value(at, depth - 1)
                items.append(item)
            at = self.after(at)
            if text[at : at + 1] == close:
                break
            if text[at : at + 1] != ",":
                raise json.JSONDecodeError("Expecting ','", text, at)
            at = self.after(at + 1)
        return (items if opens == "[" else members), at + 1

    def after(self, at: int) -> int:
        """Behind the space at a place."""
        found = _SPACE.match(self._text, at)
        return found.end() if found else at
