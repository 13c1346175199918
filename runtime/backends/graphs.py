"""A computation on a card, recorded as a CUDA graph: repeated for other numbers in the same memory, in one launch."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor


class RecordedCall:
    """`call` recorded on the current card: `repeat` computes it again from what its input tensors then hold.

    Recording calls it twice, the first time in earnest: kernels must be compiled before they are recorded. What it
    allocates lies in `pool`, which calls that are not repeated at the same time may share.
    """

    def __init__(self, call: Callable[[], Tensor], pool: tuple[int, int]) -> None:
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            call()
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        stream = _recording_stream(torch.cuda.current_device())
        with torch.cuda.graph(self._graph, pool=pool, stream=stream):  # type: ignore[arg-type]
            self._out = call()

    def repeat(self) -> Tensor:
        """Start the computation; its output, which the next `repeat` overwrites."""
        self._graph.replay()
        return self._out


@cache
def _recording_stream(_card: int) -> torch.cuda.Stream:
    """Of the current card, `_card`: one for all recordings, so that they share the memory of a pool.

    torch's own is of the card that was current when the process first recorded: another card's kernels would run there
    and then, and a graph without them be kept.
    """
    return torch.cuda.Stream()  # type: ignore[no-untyped-call]
