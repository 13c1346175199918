"""Reading: the chats of a file, told apart by what is in it, never by its name; in pieces, as it may be large."""

from __future__ import annotations

import codecs
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any

from desktop.settings import ContextPolicy
from desktop.store.transfer.chatgpt import from_chatgpt, is_chatgpt
from desktop.store.transfer.errors import TransferError
from desktop.store.transfer.lmstudio import from_lmstudio, is_lmstudio
from desktop.store.transfer.own import from_json, is_own
from desktop.store.transfer.pieces import parse
from desktop.store.transfer.progress import Progress, Went
from desktop.store.trees import ChatTree

_LARGEST = 2 << 30  # bytes of JSON; a small archive can claim to hold any size
_READ = 1 << 20  # bytes at a time
_STEPS = 3  # from the disk, to values, to chats
_ENTRY = "conversations"  # ChatGPT's archive has conversations.json, a large one conversations-000.json and so on


def read_trees(file: Path, context_policy: ContextPolicy, went: Went) -> list[ChatTree]:
    """The chats of a file. `went` is told how far it is, and what it raises ends it. Raises TransferError."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # a pipe would stop the window, a device may never end
            raise TransferError(f"{file} could not be read (it is no ordinary file); choose another file.")
        with _parts(file) as parts:
            whole = sum(part.size for part in parts)
            trees: list[ChatTree] = []
            before = 0
            for part in parts:
                reading = _Reading(file, part, context_policy, before, whole, went)
                trees += reading.trees()
                before += part.size
            return trees
    except OSError as error:
        raise TransferError(f"{file} could not be read ({error.strerror or error}); choose another file.") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        if isinstance(error, RecursionError):
            raise TransferError(f"{file.name} is nested too deeply to be chats; choose another file.") from error
        raise TransferError(f"{file.name} is damaged or locked; download the archive again.") from error


@dataclass(frozen=True)
class _Part:
    """A text of JSON: a file, or one of an archive."""

    size: int  # bytes
    open: Callable[[], IO[bytes]]


@contextmanager
def _parts(file: Path) -> Iterator[list[_Part]]:
    if not zipfile.is_zipfile(file):
        if (size := file.stat().st_size) > _LARGEST:
            raise TransferError(f"{file.name} is larger than 2 GB; split it and import the parts.")
        yield [_Part(size, lambda: file.open("rb"))]
        return
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
        entries = sorted(found, key=lambda entry: entry.filename)
        yield [_Part(entry.file_size, partial(archive.open, entry)) for entry in entries]


class _Reading:
    """Of one part: its bytes, the values in them, the chats in these, each step in pieces that are told."""

    def __init__(
        self, file: Path, part: _Part, context_policy: ContextPolicy, before: int, whole: int, went: Went
    ) -> None:
        """`before`: bytes of the parts before it, `whole`: of all."""
        self._file, self._part, self._context_policy = file, part, context_policy
        self._before, self._whole, self._went = before, whole, went

    def trees(self) -> list[ChatTree]:
        """The chats. Raises TransferError."""
        try:
            text = self._text()
            data = parse(text, partial(self._tell, 1))
        except ValueError as error:
            raise TransferError(
                f"{self._file.name} is no whole JSON file, so no chats were imported; choose another file."
            ) from error
        del text  # of a large file, much memory
        count, made = _to_trees(data, self._file, self._context_policy)
        trees: list[ChatTree] = []
        for tree in made:
            trees.append(tree)
            self._tell(2, min(len(trees) / count, 1.0))
        return trees

    def _text(self) -> str:
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        pieces: list[str] = []
        at = 0
        self._tell(0, 0.0)
        with self._part.open() as source:
            while data := source.read(_READ):
                pieces.append(decoder.decode(data))
                at += len(data)
                self._tell(0, min(at / max(self._part.size, 1), 1.0))
        pieces.append(decoder.decode(b"", final=True))
        return "".join(pieces)

    def _tell(self, step: int, share: float) -> None:
        """Of the steps, from 0, this one is as far; one behind it counts as a share of the bytes."""
        done = self._before + self._part.size * (step + share) / _STEPS
        self._went(Progress("reading", int(done), self._whole, done / max(self._whole, 1)))


def _to_trees(data: Any, file: Path, context_policy: ContextPolicy) -> tuple[int, Iterator[ChatTree]]:
    """How many chats there are at most, and the chats, each made when it is asked for."""
    if is_own(data):
        return from_json(data)
    if is_chatgpt(data) or is_lmstudio(data):
        count, trees = from_chatgpt(data) if is_chatgpt(data) else (1, iter([from_lmstudio(data)]))
        return count, (replace(tree, options=replace(tree.options, context_policy=context_policy)) for tree in trees)
    if data == []:
        return 0, iter(())
    raise TransferError(
        f"{file.name} holds no chats of this program, of ChatGPT or of LM Studio; choose one of their exports."
    )
