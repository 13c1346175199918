"""Rows: which token of which state stands where."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Rows:
    """R rows, int64 [R] each. A row at position -1 is padding, whatever its addresses.

    Addresses are of float16 tensors [L, K, C, D] on the device of these tensors; whoever asks keeps them alive.
    """

    positions: Tensor
    keys: Tensor  # addresses of the states' key caches
    values: Tensor  # and of their value caches

    def __len__(self) -> int:
        return len(self.positions)
