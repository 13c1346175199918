"""From the constexpr ops of a program to packed weights. iOS 16 and iOS 18 define most of them differently."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from runtime.mil.blob import BlobFile, unpack
from runtime.mil.graph import Constant, Op
from runtime.mil.weights.packed import (
    Array,
    ComputedWeight,
    InlineWeight,
    PackedWeight,
    PaletteWeight,
    ScaledWeight,
    StoredWeight,
)


class Parts:
    """The parts of one constexpr op."""

    def __init__(self, op: Op, known: Mapping[str, PackedWeight], files: Mapping[str, BlobFile]) -> None:
        self.op = op
        self._known = known
        self._files = files

    def __contains__(self, key: str) -> bool:
        return key in self.op.inputs

    def weight(self, key: str) -> PackedWeight:
        """The part called `key`: a constant, or the result of an earlier constexpr op."""
        binding = self.op.inputs[key][0]
        if isinstance(binding, Constant):
            return packed_constant(binding, self._files)
        return self._known[binding]

    def optional(self, key: str) -> PackedWeight | None:
        """The part called `key`, if there is one."""
        return self.weight(key) if key in self else None

    def number(self, key: str, default: int = 0) -> int:
        """An integer part."""
        return int(self.weight(key).expand()) if key in self else default

    def shape(self) -> tuple[int, ...]:
        """The `shape` part that iOS 16's ops have."""
        return tuple(int(length) for length in self.weight("shape").expand())


def packed_constant(constant: Constant, files: Mapping[str, BlobFile]) -> PackedWeight:
    """A plain constant, in the weight file or in the program."""
    if constant.is_stored:
        file = files[str(constant.file_name)]
        return StoredWeight(file, file.blob(int(constant.offset or 0)), constant.shape)
    return InlineWeight(constant.dtype, np.asarray(constant.data))


def packed_weights(op: Op, known: Mapping[str, PackedWeight], files: Mapping[str, BlobFile]) -> list[PackedWeight]:
    """The outputs of a constexpr op, in order."""
    return CONSTEXPR_OPS[op.type](Parts(op, known, files))


def _lut_to_dense(parts: Parts) -> list[PackedWeight]:
    dtype = parts.op.outputs[0].dtype
    if "shape" not in parts:
        return [PaletteWeight(dtype, parts.weight("indices"), parts.weight("lut"), parts.number("vector_axis"))]
    table = parts.weight("lut")
    bits = int(math.log2(table.shape[0]))
    shape = parts.shape()
    indices = _bit_field(parts.weight("indices"), bits, shape)
    spread = ReshapedWeight(table, (*(1,) * len(shape), *table.shape, 1))
    return [PaletteWeight(dtype, indices, spread)]


def _blockwise_shift_scale(parts: Parts) -> list[PackedWeight]:
    dtype = parts.op.outputs[0].dtype
    return [ScaledWeight(dtype, parts.weight("data"), parts.weight("scale"), parts.optional("offset"))]


def _affine_dequantize(parts: Parts) -> list[PackedWeight]:
    data = parts.weight("quantized_data")
    axis = parts.number("axis") % len(data.shape)

    def spread(part: PackedWeight) -> PackedWeight:
        lengths = [1] * len(data.shape)
        lengths[axis] = math.prod(part.shape)
        return ReshapedWeight(part, tuple(lengths))

    scale, zero_point = spread(parts.weight("scale")), spread(parts.weight("zero_point"))
    return [ScaledWeight(parts.op.outputs[0].dtype, data, scale, zero_point)]


def _sparse_to_dense(parts: Parts) -> list[PackedWeight]:
    mask, values = parts.weight("mask"), parts.weight("nonzero_data")
    if "shape" in parts:
        mask = _bit_field(mask, 1, parts.shape())
    return [ComputedWeight(parts.op.outputs[0].dtype, mask.shape, lambda: _spread(values.expand(), mask.expand()))]


def _lut_to_sparse(parts: Parts) -> list[PackedWeight]:
    mask, indices, table = parts.weight("indices_mask"), parts.weight("indices_nonzero_data"), parts.weight("lut")
    vector, axis = table.shape[-1], parts.number("vector_axis")
    mask_value, values = parts.op.outputs

    def wide_mask() -> Array:
        return np.repeat(mask.expand(), vector, axis=axis)

    def entries() -> Array:
        dense_indices = InlineWeight("uint8", _spread(indices.expand(), mask.expand()))
        dense = PaletteWeight(values.dtype, dense_indices, table, axis).expand()
        return np.asarray(dense[wide_mask() != 0])

    lengths = list(mask.shape)
    lengths[axis] *= vector
    return [
        ComputedWeight(mask_value.dtype, tuple(lengths), wide_mask),
        ComputedWeight(values.dtype, (math.prod(indices.shape) * vector,), entries),
    ]


def _sparse_blockwise_shift_scale(parts: Parts) -> list[PackedWeight]:
    mask, data = parts.weight("data_mask"), parts.weight("nonzero_data")
    scale, offset = parts.weight("scale"), parts.optional("offset")
    dtype = parts.op.outputs[1].dtype

    def entries() -> Array:
        dense_data = InlineWeight(data.dtype, _spread(data.expand(), mask.expand()))
        return np.asarray(ScaledWeight(dtype, dense_data, scale, offset).expand()[mask.expand() != 0])

    return [mask, ComputedWeight(dtype, data.shape, entries)]


def _cast(parts: Parts) -> list[PackedWeight]:
    return [parts.weight("source_val")]


CONSTEXPR_OPS: dict[str, Callable[[Parts], list[PackedWeight]]] = {
    "constexpr_lut_to_dense": _lut_to_dense,
    "constexpr_blockwise_shift_scale": _blockwise_shift_scale,
    "constexpr_affine_dequantize": _affine_dequantize,
    "constexpr_sparse_to_dense": _sparse_to_dense,
    "constexpr_lut_to_sparse": _lut_to_sparse,
    "constexpr_sparse_blockwise_shift_scale": _sparse_blockwise_shift_scale,
    "constexpr_cast": _cast,
}
"""What is known of compressed weights, by op type."""


class ReshapedWeight(PackedWeight):
    """The same elements under another shape; for small parts such as tables and scales."""

    def __init__(self, source: PackedWeight, shape: tuple[int, ...]) -> None:
        super().__init__(source.dtype, shape)
        self._source = source

    def expand(self) -> Array:
        return self._source.expand().reshape(self.shape)


def _bit_field(packed: PackedWeight, bits: int, shape: tuple[int, ...]) -> PackedWeight:
    """iOS 16's way of storing narrow indices: as bytes whose bits are to be read as elements of `bits` bits."""
    count = math.prod(shape)
    dtype = f"uint{bits}"
    if isinstance(packed, StoredWeight):
        padding = packed.blob.size_in_bytes * 8 - count * bits
        return StoredWeight(packed.file, replace(packed.blob, dtype=dtype, padding_in_bits=padding), shape)
    data: Array = packed.expand()
    elements: Any = data if bits == 8 else unpack(data, bits, count)
    return InlineWeight(dtype, elements.reshape(shape))


def _spread(values: Array, mask: Array) -> Array:
    """Zeros but where `mask` is set, which takes the values in order."""
    dense = np.zeros(mask.shape, values.dtype)
    dense[mask != 0] = values
    return dense
