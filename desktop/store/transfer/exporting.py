"""Chats to a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, get_args

from desktop.store.store import Store
from desktop.store.transfer.archive import to_archive
from desktop.store.transfer.errors import TransferError
from desktop.store.transfer.html import Paper, to_html, to_paper
from desktop.store.transfer.markdown import to_markdown
from desktop.store.transfer.own import to_json
from desktop.store.trees import ChatTree
from runtime import write_whole

Text = Literal["markdown", "html", "json"]
Kind = Literal["markdown", "html", "json", "archive"]
"""`archive`: a file of Markdown for each chat."""

_WRITERS: dict[Text, Callable[[Iterable[ChatTree], int], Iterator[str]]] = {
    "markdown": lambda trees, _: to_markdown(trees),
    "html": to_html,
    "json": lambda trees, _: to_json(trees),
}
"""Of so many chats."""


def render(store: Store, chats: Sequence[int], kind: Text) -> str:
    """Chats, given by id, as one text: JSON holds all of each, the other kinds its current path. Raises StoreError."""
    if kind not in get_args(Text):
        raise ValueError(f"unknown kind {kind!r}")
    return "".join(_WRITERS[kind]((store.tree(chat) for chat in chats), len(chats)))


def render_paper(store: Store, chats: Sequence[int], passed: Callable[[], None] = lambda: None) -> Paper:
    """The current path of chats, given by id, as a page that a PDF can be made of. `passed` is called again and again,
    and what it raises ends it. Raises StoreError."""
    return to_paper((store.tree(chat) for chat in chats), passed)


def export_chats(
    store: Store, chats: Sequence[int], file: Path, kind: Kind, *, passed: Callable[[int], None] | None = None
) -> None:
    """Write chats to `file`, which appears whole or not at all. `passed` is told how many are behind it, before each
    piece of text that is written and at the end, before the file appears; what it raises ends the export. Raises
    TransferError, and StoreError for the chats."""
    behind = 0

    def tell() -> None:
        if passed is not None:
            passed(behind)

    def trees() -> Iterator[ChatTree]:
        nonlocal behind
        for number, chat in enumerate(chats):
            behind = number
            tell()
            yield store.tree(chat)
        behind = len(chats)

    def to_the_end(parts: Iterator[bytes]) -> Iterator[bytes]:
        for part in parts:
            yield part
            tell()
        tell()

    if "\0" in str(file):
        raise TransferError("The name of the file holds a character that no file can have; change it.")
    parts: Iterator[bytes]
    if kind == "archive":
        parts = to_archive(trees())
    else:
        parts = (text.encode("utf-8", errors="replace") for text in _WRITERS[kind](trees(), len(chats)))
    try:
        write_whole(file, to_the_end(parts))
    except OSError as error:
        reason = error.strerror or str(error)
        raise TransferError(f"{file} could not be written ({reason}); choose another place.") from error
