"""Files that appear whole or not at all: written beside their place, then renamed into it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path


def write_whole(file: Path, parts: Iterable[bytes | memoryview], *, mode: int = 0o600) -> None:
    """Write `parts` to `file`, by default for its owner only; an earlier one is replaced.

    Raises OSError, and ValueError for a NUL in the name; `file` is as it was, then, and nothing is left beside it.
    """
    handle, beside = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name[:64]}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.writelines(parts)
        Path(beside).chmod(mode)
        Path(beside).replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(beside).unlink()
        raise
