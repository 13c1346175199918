"""Files that appear whole or not at all: written beside their place, then renamed into it."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import sys
from collections.abc import Iterable
from pathlib import Path


def write_whole(file: Path, parts: Iterable[bytes | memoryview], *, mode: int = 0o600) -> None:
    """Write `parts` to `file`, by default for its owner only; an earlier one is replaced. A link stays: what it leads
    to is replaced. Its bytes are on the disk before they have the name.

    Raises OSError, also for a folder, a device or a pipe, and ValueError for a NUL in the name; `file` is as it was,
    then, and nothing is left beside it.
    """
    place = replaceable(file)
    # Not tempfile.mkstemp: in a folder of Windows that refuses files it tries two thousand million names.
    beside = place.with_name(f".{place.name[:64]}.{secrets.token_hex(8)}")
    handle = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.writelines(parts)
            stream.flush()
            flush_to_disk(stream.fileno())
        beside.chmod(mode)
        beside.replace(place)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def flush_to_disk(handle: int) -> None:
    """Wait until the disk has the bytes of the open file `handle`. Raises OSError."""
    if sys.platform == "darwin":  # where fsync leaves them in the drive's own cache
        import fcntl

        with contextlib.suppress(OSError):  # a network's disk may know no such request
            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
            return
    os.fsync(handle)


def flush_folder(folder: Path) -> None:
    """`flush_to_disk` for every file in `folder`. Raises OSError."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as stream:
                flush_to_disk(stream.fileno())


def replaceable(file: Path) -> Path:
    """Where a file that is to be renamed to `file` belongs: what a link leads to, so that the link stays. Raises
    OSError for a folder, and for a device or a pipe, whose name a file would take away from everybody else."""
    place = Path(os.path.realpath(file))
    if place.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
    if place.exists() and not place.is_file():
        raise OSError(errno.EINVAL, "It is a device or a pipe", str(file))
    return place
