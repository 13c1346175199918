"""Chats as an archive of Markdown: a file for each, in the folders that they are in."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from desktop.files import file_name
from desktop.store.transfer.markdown import UNTITLED, to_markdown
from desktop.store.trees import ChatTree


class _Pieces:
    """What an archive is written to: kept until it is taken, as its size is known at the end only."""

    def __init__(self) -> None:
        self._kept: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._kept.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """All that was written is there."""

    def close(self) -> None:
        """What was not taken yet still can be."""

    def take(self) -> bytes:
        kept, self._kept = b"".join(self._kept), []
        return kept


def to_archive(trees: Iterable[ChatTree]) -> Iterator[bytes]:
    """All chats as a .zip, in pieces. Those of one title in one folder are numbered."""
    pieces, names = _Pieces(), _Names()
    with ZipFile(pieces, "w", ZIP_DEFLATED) as archive:
        for tree in trees:
            # An archive knows no time before 1980 and none after 2107.
            moment = time.localtime(min(max(tree.updated, 315_619_200.0), 4e9))
            entry = ZipInfo(names.free(tree), moment[:6])
            entry.compress_type = ZIP_DEFLATED
            archive.writestr(entry, "".join(to_markdown([tree])).encode("utf-8", errors="replace"))
            yield pieces.take()
    yield pieces.take()


class _Names:
    def __init__(self) -> None:
        self._taken: set[str] = set()

    def free(self, tree: ChatTree) -> str:
        """Of a chat's file, with its folder: as no other one of the archive is called on any system."""
        folder = f"{file_name(tree.folder)}/" if tree.folder is not None else ""
        title, number = file_name(tree.title or UNTITLED), 1
        name = f"{folder}{title}.md"
        while name.casefold() in self._taken:
            number += 1
            name = f"{folder}{title} ({number}).md"
        self._taken.add(name.casefold())
        return name
