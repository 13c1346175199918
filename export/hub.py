"""The Hub: a checkpoint fetched by name into the cache that Hugging Face's own programs share.

huggingface_hub gives the cache's layout and locks. The bytes are fetched here, over plain HTTP, which the Hub offers
for every file: its own download (2.4) throws away a file that broke off, by xet as by HTTP, and begins it anew.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

from filelock import FileLock, Timeout
from huggingface_hub import constants
from huggingface_hub.file_download import repo_folder_name

from export.connection import RETRIES, Connection, Hub, HubError, PassingError
from export.progress import Progress
from models.layouts import INDEX, LAYOUTS
from runtime.locks import lacks_locks
from runtime.sizes import data_size

__all__ = ["Hub", "HubError", "Snapshot", "begin_fetch"]

_COMMIT = re.compile(r"[0-9a-f]{40}")
_ETAG = re.compile(r"[0-9A-Za-z_-]{1,128}")  # names a file of the cache, so no path may hide in it
_TEXTS = re.compile(r"config\.json|generation_config\.json|special_tokens_map\.json|tokenizer(_\w+)?\.json")
_READ_BYTES = 1 << 22
_PIN = "falconet"  # a reference beside `main`, which other programs move: the commit that the first download was of
_MARGIN = 64 << 20  # bytes that stay free
_LOCK_SECONDS = 1.0  # for another program that is just ending a file


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A checkpoint folder in the cache, and the commit that its files are of.

    Config and tokenizer are there; `fetch_weights` brings the rest, `missing_bytes` in all.
    """

    folder: Path
    revision: str
    missing_bytes: int = field(default=0, compare=False)
    fetch_weights: Callable[[], None] = field(default=lambda: None, compare=False)


@dataclass(frozen=True, kw_only=True)
class _File:
    name: str
    size: int  # bytes
    etag: str  # SHA-256 of a large file, git's object id of a small one: the name of its blob in the cache


def begin_fetch(
    repo: str, revision: str | None, progress: Progress, *, offline: bool = False, hub: Hub | None = None
) -> Snapshot:
    """The config and tokenizer of `repo` at `revision` (a commit, branch or tag), as a folder that awaits its weights.

    `revision` None is what `main` stood for at the first call that said None, which the cache keeps beside the files.
    What the cache holds is not fetched again. With `offline`, or HF_HUB_OFFLINE=1, the network is not asked at all.
    Raises HubError, as `fetch_weights` does, for everything else than a whole checkpoint; what was fetched stays, and
    the next call goes on.
    """
    if offline or constants.HF_HUB_OFFLINE:
        cache = hub.cache if hub else Path(constants.HF_HUB_CACHE)
        snapshot = _cached(cache, repo, revision)
        if snapshot is None:
            state = "only partly" if any(_storage(cache, repo).glob("blobs/*")) else "not"
            remedy = "without --offline" if offline else "with HF_HUB_OFFLINE unset"
            raise HubError(f"{repo} is {state} in {cache}; try again {remedy} to fetch it.")
        return snapshot
    return _Download(hub or Hub.from_environment(), repo, revision, progress).begin()


def _storage(cache: Path, repo: str) -> Path:
    return cache / repo_folder_name(repo_id=repo, repo_type="model")


def _pinned(storage: Path) -> str:
    """What no revision stands for: the commit of the first download, or the branch before there was one."""
    reference = storage / "refs" / _PIN
    commit = reference.read_text(encoding="utf-8").strip() if reference.is_file() else ""
    return commit if _COMMIT.fullmatch(commit) else "main"


def _cached(cache: Path, repo: str, revision: str | None) -> Snapshot | None:
    storage = _storage(cache, repo)
    revision = revision or _pinned(storage)
    reference = storage / "refs" / revision
    commit = reference.read_text(encoding="utf-8").strip() if reference.is_file() else revision
    folder = storage / "snapshots" / commit
    return Snapshot(folder=folder, revision=commit) if _is_whole(folder) else None


def _is_whole(folder: Path) -> bool:
    if not all((folder / name).exists() for name in ("config.json", "tokenizer.json")):
        return False
    found = next((folder / name for name in LAYOUTS if (folder / name).exists()), None)
    if found is None or not found.name.endswith(INDEX):
        return found is not None
    try:
        names = set(json.loads(found.read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return False
    return all((folder / str(name)).exists() for name in names)


class _Download:
    """One repository's way into the cache."""

    def __init__(self, hub: Hub, repo: str, revision: str | None, progress: Progress) -> None:
        self._hub = hub
        self._repo = repo
        self._storage = _storage(hub.cache, repo)
        self._pins = revision is None
        self._revision = revision or _pinned(self._storage)
        self._progress = progress
        cached = _cached(hub.cache, repo, revision) is not None
        self._connection = Connection(hub, repo, self._revision, cached=cached)
        self._total = self._done = 0  # bytes
        self._shown = False  # whether the progress bar has begun

    def begin(self) -> Snapshot:
        commit, files = self._list()
        folder = self._storage / "snapshots" / commit
        missing = [file for file in files if not _has_size(folder / file.name, file.size)]
        self._total = sum(file.size for file in files)
        self._done = self._total - sum(file.size - self._kept(file) for file in missing)
        self._check_space()
        weights = []
        for file in missing:  # texts are small: they come before the progress bar
            if _TEXTS.fullmatch(file.name):
                self._fetch(file, folder, commit)
            else:
                weights.append(file)
        if self._pins:  # before the weights: a download that takes two days is of one commit
            self._refer(_PIN, commit)
        return Snapshot(
            folder=folder,
            revision=commit,
            missing_bytes=self._total - self._done,
            fetch_weights=functools.partial(self._finish, weights, folder, commit),
        )

    def _finish(self, weights: list[_File], folder: Path, commit: str) -> None:
        if weights:
            self._progress.start("download", self._total, "bytes")
            self._shown = True
            self._advance(0)
            for file in weights:
                self._fetch(file, folder, commit)
            self._progress.finish()
        if self._revision != commit:
            self._refer(self._revision, commit)

    def _refer(self, name: str, commit: str) -> None:
        reference = self._storage / "refs" / name
        reference.parent.mkdir(parents=True, exist_ok=True)
        reference.write_text(commit, encoding="utf-8")

    def _list(self) -> tuple[str, list[_File]]:
        """The commit that the revision stands for, and the files of it that an export needs."""
        revision = quote(self._revision, safe="")
        answer = self._connection.ask(
            f"{self._hub.endpoint}/api/models/{self._repo}/revision/{revision}?blobs=true"  # blobs: with their sizes
        )
        try:
            raw = answer.json()
            commit, entries = str(raw["sha"]), {str(entry["rfilename"]): entry for entry in raw["siblings"]}
        except (ValueError, KeyError, TypeError):
            raise self._connection.no_hub() from None
        if not _COMMIT.fullmatch(commit) or (_COMMIT.fullmatch(self._revision) and commit != self._revision):
            raise self._connection.no_hub()
        return commit, [self._describe(name, entries[name], commit) for name in self._needed(entries)]

    def _needed(self, names: Mapping[str, Any]) -> list[str]:
        texts = sorted(name for name in names if _TEXTS.fullmatch(name))
        for required in ("config.json", "tokenizer.json"):
            if required not in texts:
                raise HubError(f"{self._repo} has no {required} on {self._hub.host}; name a local folder that has.")
        weights = next((name for name in LAYOUTS if name in names), None)
        if weights is None:
            raise HubError(
                f"{self._repo} has no weights in safetensors or .bin on {self._hub.host}; name a local folder."
            )
        if not weights.endswith(INDEX):
            return [*texts, weights]
        stem, kind = weights.removesuffix(INDEX).split(".")
        shard = re.compile(rf"{stem}-\d+-of-\d+\.{kind}")
        return [*texts, weights, *sorted(name for name in names if shard.fullmatch(name))]

    def _describe(self, name: str, entry: Mapping[str, Any], commit: str) -> _File:
        large = entry.get("lfs") or {}
        size, etag = large.get("size", entry.get("size")), large.get("sha256", entry.get("blobId"))
        if size is None or etag is None:  # some mirrors list names alone
            size, etag = self._connection.describe(self._url(name, commit))
        if not isinstance(size, int) or size < 0 or not _ETAG.fullmatch(str(etag)):
            raise self._connection.no_hub()
        return _File(name=name, size=size, etag=str(etag))

    def _kept(self, file: _File) -> int:
        """Bytes of the file that an earlier run, or another revision, fetched."""
        if _has_size(self._blob(file), file.size):
            return file.size
        partial = self._partial(file)
        size = partial.stat().st_size if partial.exists() else 0
        return size if size <= file.size else 0

    def _check_space(self) -> None:
        cache = self._hub.cache.absolute()
        place = next(folder for folder in (cache, *cache.parents) if folder.exists())
        needed, free = self._total - self._done, shutil.disk_usage(place).free
        if needed and needed + _MARGIN > free:
            raise HubError(
                f"{self._repo} takes {data_size(needed)} more in {cache} and {data_size(free)} are free there; "
                "free some space or name a folder on another disk in HF_HUB_CACHE."
            )

    def _fetch(self, file: _File, folder: Path, commit: str) -> None:
        """Bring the file into the snapshot, unless another program has just done so."""
        kept = self._kept(file)
        with self._locked(file):
            if not _has_size(folder / file.name, file.size):
                if not _has_size(self._blob(file), file.size):
                    self._fetch_blob(file, kept, commit)
                    kept = file.size
                _link(self._blob(file), folder / file.name)
            self._advance(file.size - kept)

    def _fetch_blob(self, file: _File, kept: int, commit: str) -> None:
        """Bring the file's blob into the cache, going on where an earlier run stopped."""
        partial = self._partial(file)
        partial.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("a+b", buffering=0) as stream:
            content = _Content(stream, file, self._advance)
            self._advance(content.size - kept)
            self._fill(content, file, commit)
        if not content.is_right():
            partial.unlink()
            raise HubError(
                f"{file.name} came damaged from {self._hub.host} (its checksum is wrong) and was deleted; "
                "try again to fetch it anew."
            )
        partial.replace(self._blob(file))

    def _fill(self, content: _Content, file: _File, commit: str) -> None:
        """Append what is missing of the file, in as many requests as it takes."""
        failures, furthest = 0, content.size
        while content.size < file.size:
            try:
                with self._connection.open(self._url(file.name, commit), content.size) as (begin, chunks):
                    if begin != content.size:
                        content.restart()
                    for chunk in chunks:
                        content.append(chunk)
                        if content.size > file.size:
                            return
                failure = PassingError("the answer was too short")
            except PassingError as error:
                failure = error
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                raise HubError(
                    f"The disk of {self._hub.cache} is full; free some space and try again to go on."
                ) from None
            if content.size >= file.size:
                return
            failures = 1 if content.size > furthest else failures + 1
            furthest = max(furthest, content.size)
            if failures > RETRIES:
                raise HubError(
                    f"{self._hub.host} does not send the rest of {file.name} ({failure}); {data_size(self._done)} of "
                    f"{data_size(self._total)} are kept: try again to go on."
                )
            self._connection.wait(failures, failure)

    @contextlib.contextmanager
    def _locked(self, file: _File) -> Iterator[None]:
        lock = self._hub.cache / ".locks" / self._storage.name / f"{file.etag}.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        held: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
        try:
            held = FileLock(lock, mode=0o664).acquire(timeout=_LOCK_SECONDS)
        except Timeout:
            raise HubError(
                f"Another program is fetching {file.name} of {self._repo}; wait for it and run again."
            ) from None
        except OSError as error:
            if not lacks_locks(error):
                raise
        with held:
            yield

    def _url(self, name: str, commit: str) -> str:
        return f"{self._hub.endpoint}/{self._repo}/resolve/{commit}/{quote(name)}"

    def _blob(self, file: _File) -> Path:
        return self._storage / "blobs" / file.etag

    def _partial(self, file: _File) -> Path:
        return self._storage / "blobs" / f"{file.etag}.incomplete"

    def _advance(self, count: int) -> None:
        self._done += count
        if self._shown:
            self._progress.advance(self._done)


class _Content:
    """What there is of a file that grows: its stream, its size and the hash that its etag is."""

    def __init__(self, stream: FileIO, file: _File, advance: Callable[[int], None]) -> None:
        self._stream = stream
        self._file = file
        self._advance = advance
        self.size = 0
        self._begin()
        if stream.seek(0, 2) > file.size:
            stream.truncate(0)
        stream.seek(0)
        while chunk := stream.read(_READ_BYTES):
            self._hash.update(chunk)
            self.size += len(chunk)

    def append(self, chunk: bytes) -> None:
        """Write a chunk to the end."""
        view = memoryview(chunk)
        while view:
            view = view[self._stream.write(view) :]
        self._hash.update(chunk)
        self.size += len(chunk)
        self._advance(len(chunk))

    def restart(self) -> None:
        """Throw away what there is."""
        self._stream.truncate(0)
        self._advance(-self.size)
        self._begin()

    def is_right(self) -> bool:
        """Whether size and hash are those announced; an etag that is no hash vouches for nothing."""
        hashes = len(self._file.etag) in (40, 64)
        return self.size == self._file.size and (not hashes or self._hash.hexdigest() == self._file.etag)

    def _begin(self) -> None:
        self.size = 0
        if len(self._file.etag) == 40:  # git's object id
            self._hash = hashlib.sha1(b"blob %d\0" % self._file.size, usedforsecurity=False)
        else:
            self._hash = hashlib.sha256()


def _has_size(path: Path, size: int) -> bool:
    return path.exists() and path.stat().st_size == size


def _link(blob: Path, pointer: Path) -> None:
    """Let the snapshot's file be the blob, in one step: another program may be reading an earlier link."""
    pointer.parent.mkdir(parents=True, exist_ok=True)
    link = pointer.with_name(f".{pointer.name}.{os.getpid()}")
    link.unlink(missing_ok=True)
    try:
        link.symlink_to(Path("../../blobs") / blob.name)
    except OSError:  # a disk or a Windows without links; huggingface_hub, too, then keeps it in the snapshot alone
        blob.replace(pointer)
    else:
        link.replace(pointer)
