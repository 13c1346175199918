"""SHA-256 of files, remembered on this machine, so that gigabytes are not read again when an export goes on."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from runtime.hashing import sha256_of


class FileHashes:
    """A folder with one small file a hash, named by path, size and time of change."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, file: Path, progress: Callable[[int], None]) -> str:
        """SHA-256 of `file` in hexadecimal; `progress` gets the bytes read so far."""
        status = file.stat()
        key = f"{file.resolve()}\n{status.st_size}\n{status.st_mtime_ns}"
        note = self._folder / hashlib.sha256(os.fsencode(key)).hexdigest()
        with suppress(OSError):  # not hashed yet, most likely
            return note.read_text(encoding="ascii")
        digest = sha256_of(file, progress)
        self._keep(note, digest)
        return digest

    def _keep(self, note: Path, digest: str) -> None:
        partial = note.with_name(uuid.uuid4().hex)
        with suppress(OSError):  # a cache that cannot be written costs time, nothing else
            self._folder.mkdir(parents=True, exist_ok=True)
            partial.write_text(digest, encoding="ascii")
            partial.replace(note)
