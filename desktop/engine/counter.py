"""Counter: tokens of a conversation, counted in a thread of its own. Only the latest question is answered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from desktop.engine.runner import Runner
from runtime import Message

Reply = Callable[[int | None], None]


@dataclass(frozen=True)
class Counted:
    """The answer to the question whose `reply` this is."""

    reply: Reply
    tokens: int | None


class Counter:
    """A window asks at each key press: a question that has not begun gives way to the next."""

    def __init__(self, post: Callable[[Counted], None]) -> None:
        self._post = post
        self._changed = threading.Condition()
        self._question: tuple[Runner, Sequence[Message], Reply] | None = None
        self._closed = False
        self._thread: threading.Thread | None = None

    def ask(self, runner: Runner, messages: Sequence[Message], reply: Reply) -> None:
        """Count `messages` as `runner`'s model does, and post the answer. Waits for nothing."""
        with self._changed:
            self._question = (runner, messages, reply)
            self._changed.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="token counter", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """No more answers. Waits for nothing."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._question is not None)
                if self._closed or self._question is None:
                    return
                (runner, messages, reply), self._question = self._question, None
            tokens = runner.count(messages)
            with self._changed:
                stale = self._question is not None or self._closed
            if not stale:
                self._post(Counted(reply, tokens))
