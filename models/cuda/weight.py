"""CudaWeight: a stored weight multiplied by kernels where they read its form, by torch elsewhere."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from models.compressed import DenseWeight, Weight
from models.cuda.layout import PLAIN, Layout
from models.cuda.matrix import Matrix, matrix_of
from models.cuda.table import Kernels


def with_cuda_kernels(weight: Weight, kernels: Kernels | None = None) -> Weight:
    """The same numbers, multiplied by kernels; `weight` itself where none fits. Its buffers must lie on the device.

    `kernels` as for `matrix_of`.
    """
    matrix = matrix_of(weight, kernels)
    return weight if matrix is None else CudaWeight(weight, matrix)


class CudaWeight(Weight):
    """`stored` in whose place it stands, for float32 activations on its device.

    One vector is multiplied in float32; several are rounded to 16 bits for the tensor cores, sums stay float32.
    """

    def __init__(self, stored: Weight, matrix: Matrix) -> None:
        super().__init__(stored.shape)
        self.stored = stored
        self.matrix = matrix

    def part(self, first: int, last: int, dtype: torch.dtype) -> Tensor:
        return self.stored.part(first, last, dtype)

    def dense(self, dtype: torch.dtype) -> Tensor:
        return self.stored.dense(dtype)

    def rows(self, ids: Tensor, dtype: torch.dtype) -> Tensor:
        return self.matrix.picked(ids.flatten()).view(*ids.shape, self.shape[1]).to(dtype)

    def linear(self, x: Tensor, bias: Tensor | None) -> Tensor:
        return self.product(x, bias)

    def reads(self, rows: int) -> Layout:
        """How `laid_product` takes `rows` of x."""
        return self.matrix.reads(rows)

    def product(
        self, x: Tensor, bias: Tensor | None = None, *, gelu: bool = False, added: Tensor | None = None
    ) -> Tensor:
        """`x` [..., I] float32 -> gelu(x Wᵀ + bias) + added, [..., O] float32: one kernel for what a layer does."""
        flat = x.reshape(-1, self.shape[1]).contiguous()
        others = None if added is None else added.reshape(-1, self.shape[0]).contiguous()
        laid = self.reads(len(flat)).lay(flat)
        return self.laid_product(laid, bias, gelu=gelu, added=others).view(*x.shape[:-1], self.shape[0])

    def laid_product(
        self,
        x: Tensor,
        bias: Tensor | None = None,
        *,
        gelu: bool = False,
        added: Tensor | None = None,
        layout: Layout = PLAIN,
    ) -> Tensor:
        """The same for `x` [R, I] that lies as `reads` says; the product lies as `layout`, `added` [R, O] is plain."""
        if not self._by_torch(len(x)):
            return self.matrix.times(x, bias, added, gelu=gelu, layout=layout)
        out = F.linear(x, self.stored.dense(x.dtype)).float()
        out = out if bias is None else out + bias
        out = F.gelu(out) if gelu else out
        out = out if added is None else out + added
        return layout.lay(out)

    def _by_torch(self, rows: int) -> bool:
        """Dense weights with several rows: its library's products are as fast as any."""
        return rows > 1 and isinstance(self.stored, DenseWeight)
