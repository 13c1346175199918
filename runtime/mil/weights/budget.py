"""Which expanded weights stay in memory between uses."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from runtime.mil.weights.packed import Array, PackedWeight


class MemoryBudget:
    """Bytes that expanded weights may hold on to.

    What is granted is never taken back: a program uses its weights in the same order at every prediction, and for such
    a cycle a cache that drops the least recently used always drops the one needed next. Keeping the first that fit
    and expanding the others at each use serves most from memory.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0

    def grant(self, size_bytes: int) -> bool:
        """Whether so many bytes more may be kept; if so they count as used."""
        if self.used_bytes + size_bytes > self.limit_bytes:
            return False
        self.used_bytes += size_bytes
        return True


class WeightHandle:
    """A weight as ops see it: expanded to a tensor at first use and kept if the budget grants it.

    With `round_to_fp16`, 16-bit weights that are computed (palettes times scales, say) are rounded to 16 bits.
    """

    def __init__(self, packed: PackedWeight, budget: MemoryBudget, *, round_to_fp16: bool = False) -> None:
        self.packed = packed
        self.shape = packed.shape
        self._budget = budget
        self._rounds = round_to_fp16 and packed.dtype == "fp16"
        self._kept: Tensor | None = None
        self._may_keep: bool | None = None  # not asked yet

    def kept(self) -> Tensor | None:
        """The whole tensor if it is, or may be, kept in memory; None if it has to be expanded at each use."""
        if self._kept is None and self._may_keep is not False:
            element_bytes = 4 if self.packed.dtype in ("fp16", "fp32", "bf16") else 8
            self._may_keep = self._budget.grant(math.prod(self.shape) * element_bytes)
            if self._may_keep:
                self._kept = self._tensor(self.packed.expand())
        return self._kept

    def dense(self) -> Tensor:
        """The whole tensor."""
        kept = self.kept()
        return self._tensor(self.packed.expand()) if kept is None else kept

    def rows(self, begin: int, end: int) -> Tensor:
        """Rows `begin` to `end` of the first axis."""
        if self._kept is not None:
            return self._kept[begin:end]
        return self._tensor(self.packed.rows(begin, end))

    def take(self, numbers: Tensor) -> Tensor:
        """Rows of these numbers [n], which are in range."""
        if self._kept is not None:
            return self._kept.index_select(0, numbers)
        return self._tensor(self.packed.take(numbers.numpy()))

    def _tensor(self, array: Array) -> Tensor:
        tensor = as_tensor(array)
        return tensor.half().float() if self._rounds else tensor


def as_tensor(array: Array) -> Tensor:
    """An array as the interpreter holds it: float32, bool, or int64 for integers of any width."""
    if array.dtype.kind in "iu":
        return torch.from_numpy(array.astype(np.int64))
    if array.dtype.kind == "f":
        return torch.from_numpy(array.astype(np.float32, copy=not array.flags.writeable))
    return torch.from_numpy(array.copy())
