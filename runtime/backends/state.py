"""CountedState: a backend's own memory of a sequence, and how much of it is valid."""

from __future__ import annotations

from typing import Generic, TypeVar

from runtime.backends.base import check_truncate

T = TypeVar("T")


class CountedState(Generic[T]):
    """`inner` holds keys and values; what lies beyond `length` is masked, and overwritten before it is seen."""

    def __init__(self, inner: T) -> None:
        self.inner = inner
        self._length = 0

    @property
    def length(self) -> int:
        """Tokens held."""
        return self._length

    def truncate(self, length: int) -> None:
        """Forget every token from position `length` on."""
        check_truncate(length, self._length)
        self._length = length

    def advance(self, count: int) -> None:
        """`count` tokens more are held; for the backend that has fed them."""
        self._length += count
