"""Chats from a file, told apart by what is in it, never by its name."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from desktop.settings import ContextPolicy
from desktop.store.store import Store
from desktop.store.transfer.chatgpt import from_chatgpt, is_chatgpt
from desktop.store.transfer.errors import TransferError
from desktop.store.transfer.lmstudio import from_lmstudio, is_lmstudio
from desktop.store.transfer.own import from_json, is_own
from desktop.store.transfer.pieces import add_in_pieces, parse
from desktop.store.trees import ChatTree

_LARGEST = 2 << 30  # bytes of JSON; a small archive can claim to hold any size
_QUICK = 50_000  # bytes, which take a twentieth of a second
_ENTRY = "conversations"  # ChatGPT's archive has conversations.json, a large one conversations-000.json and so on


def import_file(store: Store, file: Path, *, context_policy: ContextPolicy = "stop") -> list[int]:
    """Add all chats of a file and return their ids, in its order.

    It may be this program's JSON, ChatGPT's conversations.json or the .zip that it came in, or a conversation of LM
    Studio. `context_policy` is for chats that other programs wrote. Raises TransferError, and StoreError where the disk
    fails; nothing was added, then.
    """
    return store.add_trees(_some(file, context_policy))


def import_in_pieces(
    store: Store, file: Path, went: Callable[[float], None], *, context_policy: ContextPolicy = "stop"
) -> list[int]:
    """`import_file` for a thread beside another that uses the same chats with a store of its own.

    `went` is told the share that is added by now, and may raise CancelledError: nothing was added, then.
    """
    return add_in_pieces(store, _some(file, context_policy), went)


def is_large(file: Path) -> bool:
    """Whether importing it takes longer than somebody can wait who does nothing else."""
    try:
        return file.stat().st_size > _QUICK
    except OSError:
        return False


def _some(file: Path, context_policy: ContextPolicy) -> list[ChatTree]:
    trees = read_trees(file, context_policy)
    if not trees:
        raise TransferError(f"{file.name} holds no chats; choose another file.")
    return trees


def read_trees(file: Path, context_policy: ContextPolicy) -> list[ChatTree]:
    """The chats of a file. Raises TransferError."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # a pipe would stop the window, a device may never end
            raise TransferError(f"{file} could not be read (it is no ordinary file); choose another file.")
        parts = _archived(file) if zipfile.is_zipfile(file) else [_plain(file)]
        return [tree for part in parts for tree in _to_trees(_parsed(part, file), file, context_policy)]
    except OSError as error:
        raise TransferError(f"{file} could not be read ({error.strerror or error}); choose another file.") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        if isinstance(error, RecursionError):
            raise TransferError(f"{file.name} is nested too deeply to be chats; choose another file.") from error
        raise TransferError(f"{file.name} is damaged or locked; download the archive again.") from error


def _plain(file: Path) -> bytes:
    if file.stat().st_size > _LARGEST:
        raise TransferError(f"{file.name} is larger than 2 GB; split it and import the parts.")
    return file.read_bytes()


def _archived(file: Path) -> list[bytes]:
    with zipfile.ZipFile(file) as archive:
        found = [
            entry
            for entry in archive.infolist()
            if (name := entry.filename.rpartition("/")[2]).startswith(_ENTRY) and name.endswith(".json")
        ]
        if not found:
            raise TransferError(f"{file.name} holds no conversations.json; choose the archive that ChatGPT sent.")
        if sum(entry.file_size for entry in found) > _LARGEST:
            raise TransferError(f"{file.name} holds more than 2 GB of chats; unpack it, split it, import the parts.")
        return [archive.read(entry) for entry in sorted(found, key=lambda entry: entry.filename)]


def _parsed(data: bytes, file: Path) -> Any:
    try:
        return parse(data.decode("utf-8-sig"))
    except ValueError as error:
        raise TransferError(
            f"{file.name} is no whole JSON file, so no chats were imported; choose another file."
        ) from error


def _to_trees(data: Any, file: Path, context_policy: ContextPolicy) -> list[ChatTree]:
    if is_own(data):
        return from_json(data)
    if is_chatgpt(data) or is_lmstudio(data):
        trees = from_chatgpt(data) if is_chatgpt(data) else from_lmstudio(data)
        return [replace(tree, options=replace(tree.options, context_policy=context_policy)) for tree in trees]
    if data == []:
        return []
    raise TransferError(
        f"{file.name} holds no chats of this program, of ChatGPT or of LM Studio; choose one of their exports."
    )
