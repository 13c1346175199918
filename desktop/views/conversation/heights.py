"""Heights of all messages, measured or estimated, and where each one starts. Pixels."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate


class Heights:
    """A column of boxes. Reading a position after a change costs one pass over all of them."""

    def __init__(self) -> None:
        self._heights: list[int] = []
        self._tops: list[int] | None = None

    def __len__(self) -> int:
        return len(self._heights)

    def __getitem__(self, index: int) -> int:
        return self._heights[index]

    def reset(self, heights: list[int]) -> None:
        """Forget all boxes for new ones."""
        self._heights, self._tops = heights, None

    def append(self, height: int) -> None:
        """One more box at the end."""
        self._heights.append(height)
        self._tops = None

    def set(self, index: int, height: int) -> bool:
        """Give box `index` a height; whether it had another one."""
        if self._heights[index] == height:
            return False
        self._heights[index] = height
        if index < len(self._heights) - 1:
            self._tops = None
        elif self._tops is not None:
            self._tops[-1] = self._tops[-2] + height
        return True

    def top(self, index: int) -> int:
        """Where box `index` starts; len(self) gives the end of all."""
        return self._all()[index]

    @property
    def total(self) -> int:
        """The sum of all heights."""
        return self._all()[-1]

    def at(self, y: int) -> int:
        """The box that covers `y`, or the nearest."""
        return min(max(bisect_right(self._all(), y) - 1, 0), len(self._heights) - 1)

    def _all(self) -> list[int]:
        if self._tops is None:
            self._tops = [0, *accumulate(self._heights)]
        return self._tops
