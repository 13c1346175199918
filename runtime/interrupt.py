"""Ctrl-C that is asked for, not raised: while an answer streams, and where an exception would do harm."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import NoReturn


class StopOnInterrupt:
    """Within it, Ctrl-C sets `requested`, which generation asks; a second one before that took effect raises.

    On other threads than the main one, which Ctrl-C never reaches, and where the program ignores it, as in a script's
    background, it does nothing.
    """

    def __init__(self) -> None:
        self._pressed = False  # not an Event: a second signal inside its set() would wait for itself
        self._before = signal.getsignal(signal.SIGINT)
        heard = self._before not in (signal.SIG_IGN, None)
        self._listens = heard and threading.current_thread() is threading.main_thread()

    def requested(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self._pressed

    def check(self) -> None:
        """Raises KeyboardInterrupt where Ctrl-C was pressed."""
        if self._pressed:
            raise KeyboardInterrupt

    def __enter__(self) -> StopOnInterrupt:
        if self._listens:
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listens:
            signal.signal(signal.SIGINT, self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self.check()
        self._pressed = True


def leave(code: int) -> NoReturn:
    """End the program with `code`: all is done, and Ctrl-C would only have libraries' last words printed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)
