"""Mailbox: from any thread into the window's thread, without a thread ever holding on to a QObject.

A QObject that is dropped last by another thread is destroyed there, which Qt does not survive. So threads hold a
mailbox, and the one QObject in it belongs to its parent, which lives and dies in the window's thread.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from PySide6.QtCore import QObject, Qt, Signal

T = TypeVar("T")


class _Bell(QObject):
    rung = Signal()


class Mailbox(Generic[T]):
    """Posted items in order. The bell rings once, however many are posted, until someone takes them."""

    def __init__(self, parent: QObject, rung: Callable[[], None]) -> None:
        """`rung`, a method of `parent`'s, is called in the window's thread when something waits to be taken."""
        self._items: deque[T] = deque()
        self._lock = threading.Lock()
        self._rings = False
        self._bell: _Bell | None = _Bell(parent)
        self._bell.rung.connect(rung, Qt.ConnectionType.QueuedConnection)

    def post(self, item: T) -> None:
        """From any thread. Waits for nothing; after `close` it does nothing."""
        self._items.append(item)
        self.ring()

    def ring(self) -> None:
        """Have it noticed that something is due."""
        with self._lock:
            if self._bell is not None and not self._rings:
                self._rings = True
                self._bell.rung.emit()

    def take(self) -> list[T]:
        """What was posted until now; the bell does not ring for what comes next until `rest`."""
        return [self._items.popleft() for _ in range(len(self._items))]

    def rest(self) -> bool:
        """Let the bell ring again. False, and it does not, where something was posted meanwhile."""
        with self._lock:
            if self._items:
                return False
            self._rings = False
            return True

    def close(self) -> None:
        """No more rings; what was posted before can still be taken."""
        with self._lock:
            self._bell = None
