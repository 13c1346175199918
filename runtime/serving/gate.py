"""Gate: how many answers are let in, those that are written and those that wait for their turn."""

from __future__ import annotations

import threading

from runtime.serving.errors import busy

MOST_WAITING = 64  # answers beyond those that are written at once: whoever comes then asks again later


class Gate:
    """Counts answers. Safe to use from several threads."""

    def __init__(self, *, at_once: int, waiting: int = MOST_WAITING) -> None:
        """`at_once` answers are written at a time, `waiting` more wait."""
        self.at_once = at_once
        self._most = at_once + waiting
        self._lock = threading.Lock()
        self._inside = 0

    @property
    def inside(self) -> int:
        """Answers that are written or wait."""
        return self._inside

    def enter(self, count: int) -> None:
        """Let `count` answers in, all or none. Raises RefusalError where there is no room."""
        with self._lock:
            if self._inside + count > self._most:
                raise busy(max(self._inside - self.at_once, 0))
            self._inside += count

    def leave(self, count: int = 1) -> None:
        """`count` answers have ended."""
        with self._lock:
            self._inside -= count
