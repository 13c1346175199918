"""Chats to a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from desktop.files import write_whole
from desktop.store.store import Store
from desktop.store.transfer.errors import TransferError
from desktop.store.transfer.html import Paper, to_html, to_paper
from desktop.store.transfer.markdown import to_markdown
from desktop.store.transfer.own import to_json

Kind = Literal["markdown", "html", "json"]

_WRITERS = {"markdown": to_markdown, "html": to_html, "json": to_json}


def render(store: Store, chats: Sequence[int], kind: Kind) -> str:
    """Chats, given by id, as one text: JSON holds all of each, the other kinds its current path. Raises StoreError."""
    if kind not in get_args(Kind):
        raise ValueError(f"unknown kind {kind!r}")
    return _WRITERS[kind]([store.tree(chat) for chat in chats])


def render_paper(store: Store, chats: Sequence[int]) -> Paper:
    """The current path of chats, given by id, as a page that a PDF can be made of. Raises StoreError."""
    return to_paper([store.tree(chat) for chat in chats])


def export_chats(store: Store, chats: Sequence[int], file: Path, kind: Kind) -> None:
    """Write chats to `file`, which appears whole or not at all. Raises TransferError, and StoreError for the chats."""
    text = render(store, chats, kind)
    try:
        write_whole(file, text)
    except OSError as error:
        reason = error.strerror or str(error)
        raise TransferError(f"{file} could not be written ({reason}); choose another place.") from error
    except ValueError as error:
        raise TransferError("The name of the file holds a character that no file can have; change it.") from error
