"""Ctrl-C while an answer streams stops the answer, not the program."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType


class StopOnInterrupt:
    """Within it, Ctrl-C sets `requested`, which generation asks; a second one before that took effect raises."""

    def __init__(self) -> None:
        self._pressed = False  # not an Event: a second signal inside its set() would wait for itself
        self._before = signal.getsignal(signal.SIGINT)

    def requested(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self._pressed

    def __enter__(self) -> StopOnInterrupt:
        self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self._pressed:
            raise KeyboardInterrupt
        self._pressed = True
