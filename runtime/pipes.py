"""The two pipes between a process of ours and the one that started it."""

from __future__ import annotations

import os
from typing import BinaryIO


def take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Standard input and output, for messages alone: whatever reads the standard streams from now on finds nothing, and
    what it prints goes to standard error.

    On Windows a library whose start looks at standard input, as numpy's may, would else hang while a message is waited
    for there (numpy#24290).
    """
    messages, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return messages, replies
