"""KernelWeight: a stored weight multiplied by kernels where they fit, by torch elsewhere."""

from __future__ import annotations

import threading

import torch
import torch.nn.functional as F
from torch import Tensor

from models.compressed import BlockWeight, DenseWeight, LutWeight, Weight
from models.kernels.matrix import MOST_TOKENS, Matrix, block_matrix, dense_matrix, lut_matrix

# Of a matrix in float32, expanded at once. Smaller tiles stay in cache, but threads meet after each of them.
_TILE_BYTES = 1 << 25


def with_kernels(weight: Weight) -> Weight:
    """The same numbers, multiplied by kernels where this machine and the weight's form have them."""
    matrix: Matrix | None = None
    if isinstance(weight, LutWeight):
        matrix = lut_matrix(weight.indices, weight.codebook, weight.index_bits)
    elif isinstance(weight, BlockWeight):
        matrix = block_matrix(weight.values, weight.scale)
    elif isinstance(weight, DenseWeight):
        matrix = dense_matrix(weight.values)
    return weight if matrix is None else KernelWeight(weight, matrix)


class KernelWeight(Weight):
    """`stored` in whose place it stands; computes in float32."""

    def __init__(self, stored: Weight, matrix: Matrix) -> None:
        super().__init__(stored.shape)
        self.stored = stored
        self.matrix = matrix

    def part(self, first: int, last: int, dtype: torch.dtype) -> Tensor:
        return self.stored.part(first, last, dtype)

    def rows(self, ids: Tensor, dtype: torch.dtype) -> Tensor:
        return self.stored.rows(ids, dtype)

    def dense(self, dtype: torch.dtype) -> Tensor:
        return self.stored.dense(dtype)

    def linear(self, x: Tensor, bias: Tensor | None) -> Tensor:
        flat = x.reshape(-1, self.shape[1]).float()
        if not len(flat):
            out = flat.new_zeros(0, self.shape[0])
        elif len(flat) <= MOST_TOKENS:
            out = self.matrix.product(flat)
        elif isinstance(self.stored, DenseWeight) and self.stored.values.dtype == x.dtype:
            out = F.linear(flat, self.stored.values)
        elif len(flat) > self.matrix.in_passes:
            out = self.matrix.by_panels(flat) if self.matrix.in_panels else self._by_tiles(flat)
        else:
            firsts = range(0, len(flat), MOST_TOKENS)
            out = torch.cat([self.matrix.product(flat[first : first + MOST_TOKENS]) for first in firsts])
        if bias is not None:
            out += bias
        return out.view(*x.shape[:-1], self.shape[0])

    def _by_tiles(self, x: Tensor) -> Tensor:
        """x Wᵀ with a part of W at a time in float32."""
        rows, columns = self.shape
        x = self.matrix.ordered(x)
        unit = self.matrix.rows_at_once
        step = min(rows, max(1, _TILE_BYTES // (4 * columns * unit)) * unit)
        tile = _scratch.tile(step * columns).view(step, columns)
        if step == rows:
            return F.linear(x, self.matrix.expand(0, tile))
        out = torch.empty((len(x), rows), dtype=x.dtype)
        for first in range(0, rows, step):
            last = min(first + step, rows)
            out[:, first:last] = F.linear(x, self.matrix.expand(first, tile[: last - first]))
        return out


class _Scratch(threading.local):
    """A thread's own memory for tiles: fresh memory would cost more than what is written to it."""

    def __init__(self) -> None:
        self._tile = torch.empty(0)

    def tile(self, elements: int) -> Tensor:
        """Float32 [elements], to be overwritten."""
        if len(self._tile) < elements:
            with torch.inference_mode(False):  # else only calls in that mode could write to it
                self._tile = torch.empty(elements, dtype=torch.float32)
        return self._tile[:elements]


_scratch = _Scratch()
