"""SHA-256 of a file, in pieces, with progress."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

_READ_BYTES = 1 << 22


def sha256_of(file: Path, progress: Callable[[int], None] | None = None) -> str:
    """SHA-256 of `file` in hexadecimal; `progress` gets the bytes read so far. Raises OSError."""
    digest = hashlib.sha256()
    done = 0
    with file.open("rb") as stream:
        while chunk := stream.read(_READ_BYTES):
            digest.update(chunk)
            done += len(chunk)
            if progress:
                progress(done)
    return digest.hexdigest()
