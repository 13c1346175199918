"""Chats from a file into the store: all of it or nothing."""

from __future__ import annotations

from pathlib import Path

from desktop.settings import ContextPolicy
from desktop.store.store import Store
from desktop.store.transfer.errors import TransferError
from desktop.store.transfer.pieces import add_in_pieces
from desktop.store.transfer.progress import Went
from desktop.store.transfer.reading import read_trees
from desktop.store.trees import ChatTree

_QUICK = 50_000  # bytes, which take a twentieth of a second


def import_file(store: Store, file: Path, *, context_policy: ContextPolicy = "stop") -> list[int]:
    """Add all chats of a file and return their ids, in its order.

    It may be this program's JSON, ChatGPT's conversations.json or the .zip that it came in, or a conversation of LM
    Studio. `context_policy` is for chats that other programs wrote. Raises TransferError, and StoreError where the disk
    fails; nothing was added, then.
    """
    return store.add_trees(_some(file, context_policy, lambda _: None))


def import_in_pieces(store: Store, file: Path, went: Went, *, context_policy: ContextPolicy = "stop") -> list[int]:
    """`import_file` for a thread beside another that uses the same chats with a store of its own.

    `went` is told at once that it is being read, and may raise CancelledError: nothing was added, then.
    """
    return add_in_pieces(store, _some(file, context_policy, went), went)


def size_of(file: Path) -> int:
    """Bytes; 0 of a file that cannot be found, which reading it says."""
    try:
        return file.stat().st_size
    except OSError:
        return 0


def is_large(file: Path) -> bool:
    """Whether importing it takes longer than somebody can wait who does nothing else."""
    return size_of(file) > _QUICK


def _some(file: Path, context_policy: ContextPolicy, went: Went) -> list[ChatTree]:
    trees = read_trees(file, context_policy, went)
    if not trees:
        raise TransferError(f"{file.name} holds no chats; choose another file.")
    return trees
