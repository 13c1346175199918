"""One line about long work at a terminal: share, rate, time left. Elsewhere nothing."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TextIO

from runtime.colours import has_colours

_REDRAW_SECONDS = 0.1
_RATE_AFTER_SECONDS = 0.5  # earlier, a rate is a guess


class ProgressLine:
    """Within it, `say` and `advance` draw the line on `err`; at the end the line is empty again."""

    def __init__(self, err: TextIO) -> None:
        self._err = err
        self._live = err.isatty() and has_colours()
        self._label = ""
        self._total = self._done = 0
        self._begun = self._drawn = 0.0

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write("")

    def say(self, words: str) -> None:
        """What is going on, for work of unknown length."""
        self._write(words)

    def start(self, label: str, total: int) -> None:
        """`total` tokens are ahead."""
        self._label, self._total, self._done = label, total, 0
        self._begun, self._drawn = time.monotonic(), 0.0
        self._draw()

    def advance(self, tokens: int) -> None:
        """`tokens` more are done."""
        self._done += tokens
        self._draw()

    def _draw(self) -> None:
        now = time.monotonic()
        if now - self._drawn >= _REDRAW_SECONDS:
            self._drawn = now
            self._write(progress_words(self._label, self._done, self._total, now - self._begun))

    def _write(self, words: str) -> None:
        if self._live:
            self._err.write(f"\r\x1b[K{words}")
            self._err.flush()


def progress_words(label: str, done: int, total: int, seconds: float) -> str:
    """A line that fits 80 columns."""
    parts = [f"{label} {done / total:4.0%}", f"{done:,} of {total:,} tokens"]
    if done and seconds >= _RATE_AFTER_SECONDS:
        rate = done / seconds
        parts += [f"{rate:,.0f} tokens/s" if rate >= 10 else f"{rate:.1f} tokens/s", _left((total - done) / rate)]
    return " · ".join(parts)


def _left(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s left"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min left"
    hours = minutes // 60
    return f"{hours} h {minutes % 60:02d} min left" if hours < 48 else f"{hours // 24} days left"
