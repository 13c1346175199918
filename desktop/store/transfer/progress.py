"""Progress: how far the import of one file is, and how long it may still take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

_READING = 0.1  # of the time that an import takes; the rest is for adding


@dataclass(frozen=True)
class Progress:
    """Of one stage. A file is read first, then its chats are added."""

    stage: Literal["reading", "adding"]
    done: int  # bytes that are read, chats that are added
    whole: int
    share: float  # of the stage that is behind, 0 to 1
    seconds_left: float | None = None  # of the stage; None while nothing can be said

    @property
    def overall(self) -> float:
        """The share of both stages that is behind, 0 to 1."""
        return _READING * self.share if self.stage == "reading" else _READING + (1 - _READING) * self.share


Went = Callable[[Progress], None]
"""What is told how far an import is. It may raise CancelledError: nothing was added, then."""
