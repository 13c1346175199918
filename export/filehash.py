"""SHA-256 of files, remembered on this machine, so that gigabytes are not read again when an export goes on."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_READ_BYTES = 1 << 22


class FileHashes:
    """A folder with one small file a hash, named by path, size and time of change."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, file: Path, progress: Callable[[int], None]) -> str:
        """SHA-256 of `file` in hexadecimal; `progress` gets the bytes read so far."""
        status = file.stat()
        key = f"{file.resolve()}\n{status.st_size}\n{status.st_mtime_ns}"
        note = self._folder / hashlib.sha256(key.encode()).hexdigest()
        with suppress(OSError):  # not hashed yet, most likely
            return note.read_text(encoding="ascii")
        digest = _hash(file, progress)
        self._keep(note, digest)
        return digest

    def _keep(self, note: Path, digest: str) -> None:
        partial = note.with_name(uuid.uuid4().hex)
        with suppress(OSError):  # a cache that cannot be written costs time, nothing else
            self._folder.mkdir(parents=True, exist_ok=True)
            partial.write_text(digest, encoding="ascii")
            partial.replace(note)


def _hash(file: Path, progress: Callable[[int], None]) -> str:
    digest = hashlib.sha256()
    done = 0
    with file.open("rb") as stream:
        while chunk := stream.read(_READ_BYTES):
            digest.update(chunk)
            done += len(chunk)
            progress(done)
    return digest.hexdigest()
