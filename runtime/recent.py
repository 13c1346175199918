"""RecentTexts: the token ids of texts that were encoded last. A conversation is encoded whole at each of its turns."""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from collections.abc import Sequence

MOST_CHARACTERS = 1 << 17  # of all texts together: a few contexts of 2,048 tokens; a megabyte or two with their ids
_LEAST = 64  # what a text counts at least: a short one takes memory, too


class RecentTexts:
    """Ids by text, at most `most` characters in all: the text asked for longest ago goes first. Safe in threads."""

    def __init__(self, most: int = MOST_CHARACTERS) -> None:
        self._most = most
        self._size = 0
        self._ids: OrderedDict[str, array[int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, text: str) -> list[int] | None:
        """The ids of `text`, the caller's own list; None where it is not held."""
        with self._lock:
            found = self._ids.get(text)
            if found is None:
                return None
            self._ids.move_to_end(text)
        return found.tolist()

    def put(self, text: str, ids: Sequence[int]) -> None:
        """Hold the ids of `text`, unless it alone is longer than half of what may be held."""
        if _size(text) > self._most // 2:
            return
        with self._lock:
            if text not in self._ids:
                self._size += _size(text)
            self._ids[text] = array("i", ids)
            self._ids.move_to_end(text)
            while self._size > self._most:
                oldest, _ = self._ids.popitem(last=False)
                self._size -= _size(oldest)


def _size(text: str) -> int:
    return max(len(text), _LEAST)
