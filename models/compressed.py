"""Layers whose matrix is stored compressed: a codebook a group of rows, or integers with a scale a block.

O output features (rows), I input features (columns), N entries of a codebook. One layer definition serves tracing and
running; its weight decides which: `TracedWeight` leaves a mark in the traced graph that export turns into Core ML's
constexpr ops, the others compute.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Rows are expanded in pieces of about this many elements, so that a lookup's integer copies stay small.
_CHUNK_ELEMENTS = 1 << 22
# So many vectors are multiplied as columns by a matrix in float32: as rows, two take MKL 1.7 times as long as one.
_FEW = 5


@torch.library.custom_op("falconet::linear", mutates_args=())
def _linear_mark(x: Tensor, bias: Tensor | None, name: str, out_features: int) -> Tensor:  # noqa: ARG001
    """Stands for x Wᵀ + b in a trace: zeros of the right shape. `name` finds W in the store at conversion."""
    return x.new_zeros(*x.shape[:-1], out_features)


@torch.library.custom_op("falconet::embedding", mutates_args=())
def _embedding_mark(input_ids: Tensor, name: str, columns: int) -> Tensor:  # noqa: ARG001
    """Stands for rows of W in a trace: zeros of the right shape."""
    return torch.zeros(*input_ids.shape, columns, dtype=torch.get_default_dtype())


class Weight(nn.Module):
    """A matrix [O, I] in some stored form."""

    def __init__(self, shape: tuple[int, int]) -> None:
        super().__init__()
        self.shape = shape

    def part(self, first: int, last: int, dtype: torch.dtype) -> Tensor:
        """Rows `first` to `last` - 1, [last - first, I]."""
        raise NotImplementedError

    def rows(self, ids: Tensor, dtype: torch.dtype) -> Tensor:
        """Rows `ids` [...] -> [..., I]."""
        raise NotImplementedError

    def dense(self, dtype: torch.dtype) -> Tensor:
        """All of it, [O, I]."""
        out = torch.empty(self.shape, dtype=dtype, device=next(self.buffers()).device)
        for first, last in self.parts():
            out[first:last] = self.part(first, last, dtype)
        return out

    def linear(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """x [..., I] -> x Wᵀ + b [..., O]. What is expanded is multiplied while it is in the processor's cache."""
        out = torch.cat([F.linear(x, self.part(first, last, x.dtype)) for first, last in self.parts()], dim=-1)
        return out if bias is None else out + bias

    def parts(self) -> Iterator[tuple[int, int]]:
        """Spans of rows small enough to be expanded at once."""
        step = self._step()
        for first in range(0, self.shape[0], step):
            yield first, min(first + step, self.shape[0])

    def _step(self) -> int:
        return max(1, _CHUNK_ELEMENTS // self.shape[1])


class TracedWeight(Weight):
    """No numbers, only a name."""

    def __init__(self, name: str, shape: tuple[int, int]) -> None:
        super().__init__(shape)
        self.name = name

    def rows(self, ids: Tensor, dtype: torch.dtype) -> Tensor:
        out: Tensor = torch.ops.falconet.embedding(ids, self.name, self.shape[1])
        return out.to(dtype)

    def linear(self, x: Tensor, bias: Tensor | None) -> Tensor:
        out: Tensor = torch.ops.falconet.linear(x, bias, self.name, self.shape[0])
        return out


class DenseWeight(Weight):
    """Plain numbers [O, I], in whatever type they are stored."""

    values: Tensor

    def __init__(self, values: Tensor) -> None:
        super().__init__((values.shape[0], values.shape[1]))
        self.register_buffer("values", values)

    def part(self, first: int, last: int, dtype: torch.dtype) -> Tensor:
        return self.values[first:last].to(dtype)

    def dense(self, dtype: torch.dtype) -> Tensor:
        return self.values.to(dtype)

    def linear(self, x: Tensor, bias: Tensor | None) -> Tensor:
        values = self.values
        if values.dtype != x.dtype:
            return super().linear(x, bias)
        if not 1 < x.numel() // self.shape[1] <= _FEW:
            return F.linear(x, values, bias)
        out = torch.mm(values, x.reshape(-1, self.shape[1]).t()).t().reshape(*x.shape[:-1], self.shape[0])
        return out if bias is None else out + bias

    def rows(self, ids: Tensor, dtype: torch.dtype) -> Tensor:
        return F.embedding(ids, self.values).to(dtype)


class LutWeight(Weight):
    """Palettized: W[o, i] = codebook[o // group, index[o, i]].

    `indices` uint8 [O, I·bits/8] holds `index_bits` = 4, 6 or 8 bits an index, packed from the low bit up as in Core
    ML's weight file; one byte an index (`index_bits` 8) goes with a codebook of any size. `codebook` is [O/group, N].
    """

    indices: Tensor
    codebook: Tensor

    def __init__(self, indices: Tensor, codebook: Tensor, *, index_bits: int) -> None:
        if index_bits not in (4, 6, 8):
            raise ValueError(f"index_bits must be 4, 6 or 8, not {index_bits}")
        if indices.dtype != torch.uint8 or indices.shape[1] * 8 % index_bits or indices.shape[0] % codebook.shape[0]:
            raise ValueError(
                f"indices {indices.dtype} {list(indices.shape)} do not fit codebook {list(codebook.shape)}"
            )
        super().__init__((indices.shape[0], indices.shape[1] * 8 // index_bits))
        self.index_bits = index_bits
        self.group_size = indices.shape[0] // codebook.shape[0]
        self.register_buffer("indices", indices)
        self.register_buffer("codebook", codebook)

    def part(self, first: int, last: int, dtype: torch.dtype) -> Tensor:
        table = self.codebook[first // self.group_size : last // self.group_size].to(dtype)
        index = unpack(self.indices[first:last], self.index_bits).view(len(table), -1).long()
        return torch.gather(table, 1, index).view(-1, self.shape[1])

    def _step(self) -> int:
        """Whole groups."""
        return max(1, _CHUNK_ELEMENTS // (self.group_size * self.shape[1])) * self.group_size

    def rows(self, ids: Tensor, dtype: torch.dtype) -> Tensor:
        flat = ids.flatten().long()
        index = unpack(self.indices[flat], self.index_bits).long()
        picked = torch.gather(self.codebook[flat // self.group_size], 1, index)
        return picked.view(*ids.shape, self.shape[1]).to(dtype)


class BlockWeight(Weight):
    """Symmetric integers: W[o, i] = scale[o, i // block] · value[o, i].

    `values` is int8 [O, I], or uint8 [O, I/2] with two 4-bit two's-complement values a byte, the first in the low
    half. `scale` is [O, I/block]; one column of it is a scale a row.
    """

    values: Tensor
    scale: Tensor

    def __init__(self, values: Tensor, scale: Tensor) -> None:
        if values.dtype not in (torch.int8, torch.uint8):
            raise ValueError(f"values must be int8, or uint8 for two a byte, not {values.dtype}")
        columns = values.shape[1] * (2 if values.dtype == torch.uint8 else 1)
        if columns % scale.shape[1] or values.shape[0] != scale.shape[0]:
            raise ValueError(f"scale {list(scale.shape)} does not fit values {[values.shape[0], columns]}")
        super().__init__((values.shape[0], columns))
        self.register_buffer("values", values)
        self.register_buffer("scale", scale)

    def part(self, first: int, last: int, dtype: torch.dtype) -> Tensor:
        return self._expand(self.values[first:last], self.scale[first:last], dtype)

    def rows(self, ids: Tensor, dtype: torch.dtype) -> Tensor:
        flat = ids.flatten().long()
        return self._expand(self.values[flat], self.scale[flat], dtype).view(*ids.shape, self.shape[1])

    def _expand(self, values: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
        if values.dtype == torch.uint8:
            nibbles = unpack(values, 4).to(torch.int8)
            values = nibbles - ((nibbles & 8) << 1)
        blocks = values.view(len(values), scale.shape[1], -1).to(dtype)
        return (blocks * scale[:, :, None].to(dtype)).view(len(values), -1)


def weight_of(parts: Mapping[str, Tensor], *, index_bits: int = 8) -> Weight:
    """The weight whose stored arrays `parts` are: `indices` and `codebook`, `values` and `scale`, or `values` alone."""
    if "codebook" in parts:
        return LutWeight(parts["indices"], parts["codebook"], index_bits=index_bits)
    if "scale" in parts:
        return BlockWeight(parts["values"], parts["scale"])
    return DenseWeight(parts["values"])


class CompressedLinear(nn.Module):
    """y = x Wᵀ + b over a weight of any form."""

    def __init__(self, weight: Weight, bias: Tensor | None = None) -> None:
        super().__init__()
        self.weight = weight
        self.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """[..., I] -> [..., O]."""
        return self.weight.linear(x, self.bias)


class CompressedEmbedding(nn.Module):
    """Rows of a weight of any form, in `dtype`."""

    def __init__(self, weight: Weight, dtype: torch.dtype) -> None:
        super().__init__()
        self.weight = weight
        self.dtype = dtype

    def forward(self, input_ids: Tensor) -> Tensor:
        """[...] -> [..., I]."""
        return self.weight.rows(input_ids, self.dtype)


def mapped_tensor(array: npt.NDArray[Any]) -> Tensor:
    """A tensor over a mapped array, nothing copied. Must not be written to: torch knows no read-only tensors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(array)


def unpack(packed: Tensor, bits: int) -> Tensor:
    """Split bytes [R, C] into values of 4, 6 or 8 bits, uint8 [R, C·8/bits]; the low bits come first."""
    if bits == 8:
        return packed
    if bits == 4:
        return torch.stack((packed & 15, packed >> 4), dim=-1).flatten(1)
    a, b, c = packed.view(len(packed), -1, 3).unbind(-1)  # four 6-bit values in three bytes
    values = (a & 63, (a >> 6) | ((b & 15) << 2), (b >> 4) | ((c & 3) << 4), c >> 2)
    return torch.stack(values, dim=-1).flatten(1)
