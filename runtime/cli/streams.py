"""Standard streams that the caller closed, or whose other end has gone."""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO


def open_closed_streams() -> None:
    """Give nothing to read, and nowhere to write, to the standard streams that the caller closed.

    Libraries expect all three. And a file that is opened later would have the number of the closed one, so that what
    native code complains of would be written into it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, io.TextIOWrapper(io.FileIO(os.devnull, mode), encoding="utf-8"))


def drop(out: TextIO) -> None:
    """Send what is left in the buffer, and cannot be written, nowhere: Python would complain once more at exit."""
    try:
        out.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
