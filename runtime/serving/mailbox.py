"""Mailbox: words from the engine's thread for the event loop, which is woken once for all that lie there."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable


class Mailbox:
    """Calls of other threads, made in the event loop in their order.

    A wake is a write to a socket, at which the waking thread gives up Python's lock: one for each token would hold up
    the engine, whose turn gives a token to each of many answers.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._calls: list[Callable[[], None]] = []

    def put(self, call: Callable[[], None]) -> None:
        """Have `call` made in the loop. From any thread; nothing happens where the loop has ended."""
        with self._lock:
            self._calls.append(call)
            first = len(self._calls) == 1
        if first:
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody reads any more
                self._loop.call_soon_threadsafe(self._empty)

    def _empty(self) -> None:
        with self._lock:
            calls, self._calls = self._calls, []
        for call in calls:
            call()
