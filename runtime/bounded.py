"""What people name as a file to read: a file, a pipe, or a device that never ends. Read whole, up to a bound."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from runtime.sizes import data_size

MOST_BYTES = 256_000_000
"""Of a text: some sixty million tokens, which take gigabytes as ids."""
_PIECE_BYTES = 1 << 20


def open_bounded(file: Path) -> BinaryIO:
    """`file`, opened to be read. Raises OSError for a device, which may never end; a terminal is none, nor is a pipe.
    ValueError for a NUL in the name."""
    stream = file.open("rb")
    mode = os.fstat(stream.fileno()).st_mode
    if (stat.S_ISCHR(mode) or stat.S_ISBLK(mode)) and not stream.isatty():
        stream.close()
        raise OSError(errno.EINVAL, "It is a device", str(file))
    return stream


def read_bounded(file: Path, most: int = MOST_BYTES) -> bytes:
    """All bytes of `file`. Raises as `open_bounded`, and OSError, which says the bound, for more than `most` bytes."""
    with open_bounded(file) as stream:
        return read_stream(stream, most)


def read_stream(stream: BinaryIO, most: int = MOST_BYTES) -> bytes:
    """All bytes that are still to come. Raises OSError, which says the bound, for more than `most` of them."""
    # In pieces: one call would ask for room for the whole bound, which a process whose memory is limited has not.
    data = bytearray()
    while len(data) <= most:
        wanted = min(_PIECE_BYTES, most + 1 - len(data))
        piece = stream.read(wanted)
        data += piece
        if len(piece) < wanted:  # the end; a terminal would wait for another one
            return bytes(data)
    raise OSError(errno.EFBIG, f"It holds more than {data_size(most)}")
