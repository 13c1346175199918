"""Files that appear whole or not at all: written beside their place, then renamed into it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def unused(file: Path) -> Path:
    """`file`, or where that exists the same name with the first number that is free."""
    candidate, number = file, 1
    while candidate.exists():
        number += 1
        candidate = file.with_stem(f"{file.stem}-{number}")
    return candidate


def write_whole(file: Path, text: str) -> None:
    """Write `text` as UTF-8 to `file`, for its owner only; an earlier one is replaced.

    Raises OSError, and ValueError for a NUL in the name; `file` is as it was, then, and nothing is left beside it.
    """
    handle, beside = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name[:64]}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(text.encode("utf-8", errors="replace"))
            stream.flush()
            os.fsync(stream.fileno())
        Path(beside).replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(beside).unlink()
        raise
