"""Weights in the form in which they are stored. R rows (the first axis), P palette entries, V values an entry.

Every kind can be expanded whole; the kinds that `can_slice` also expand some rows at the cost of those rows alone,
which is what lets an embedding of a gigabyte be read a token at a time. Floats come out as float32, integers as they
are stored.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.mil.blob import Blob, BlobFile

Array = NDArray[Any]


class PackedWeight(ABC):
    """A constant tensor of the program."""

    def __init__(self, dtype: str, shape: tuple[int, ...]) -> None:
        self.dtype = dtype
        self.shape = shape

    @property
    def can_slice(self) -> bool:
        """Whether `rows` and `take` cost no more than the rows they give."""
        return bool(self.shape)

    @abstractmethod
    def expand(self) -> Array:
        """The whole tensor, freshly made."""

    def rows(self, begin: int, end: int) -> Array:
        """Rows `begin` to `end`."""
        return self.expand()[begin:end]

    def take(self, numbers: NDArray[np.int64]) -> Array:
        """The rows of these numbers [n], which are in range."""
        return self.expand()[numbers]


class InlineWeight(PackedWeight):
    """A constant that is kept in the program itself."""

    def __init__(self, dtype: str, array: Array) -> None:
        super().__init__(dtype, array.shape)
        self._array = array

    def expand(self) -> Array:
        return as_computed(self._array)


class StoredWeight(PackedWeight):
    """A plain tensor in the weight file."""

    def __init__(self, file: BlobFile, blob: Blob, shape: tuple[int, ...]) -> None:
        super().__init__(blob.dtype, shape)
        self.file = file
        self.blob = blob
        self._row_length = math.prod(shape[1:])

    def expand(self) -> Array:
        return as_computed(self.file.elements(self.blob, 0, math.prod(self.shape)).reshape(self.shape))

    def rows(self, begin: int, end: int) -> Array:
        elements = self.file.elements(self.blob, begin * self._row_length, end * self._row_length)
        return as_computed(elements.reshape(end - begin, *self.shape[1:]))

    def take(self, numbers: NDArray[np.int64]) -> Array:
        if not len(numbers):
            return self.rows(0, 0)
        return np.concatenate([self.rows(number, number + 1) for number in numbers.tolist()])

    def packed_rows(self, begin: int, end: int) -> NDArray[np.uint8]:
        """The bytes of rows that start and end on whole bytes, for 4-bit elements [rows, bytes a row]."""
        bytes_per_row = self._row_length // 2
        packed = self.file.packed(self.blob, begin * bytes_per_row, end * bytes_per_row)
        return packed.reshape(end - begin, bytes_per_row)

    @property
    def rows_are_nibbles(self) -> bool:
        """Whether this holds 4-bit elements, a whole number of bytes a row."""
        return self.dtype in ("uint4", "int4") and self._row_length % 2 == 0 and len(self.shape) > 0


class ComputedWeight(PackedWeight):
    """A compressed tensor of a kind that only comes whole: the sparse ones."""

    def __init__(self, dtype: str, shape: tuple[int, ...], compute: Callable[[], Array]) -> None:
        super().__init__(dtype, shape)
        self._compute = compute

    @property
    def can_slice(self) -> bool:
        return False

    def expand(self) -> Array:
        return as_computed(self._compute())


class PaletteWeight(PackedWeight):
    """Indices into look-up tables, one table a block of the tensor.

    `indices` has the tensor's shape but for `vector_axis`, along which each index stands for V values. The table
    is [blocks on axis 0, blocks on axis 1, …, P, V].
    """

    def __init__(self, dtype: str, indices: PackedWeight, table: PackedWeight, vector_axis: int = 0) -> None:
        *self._blocks, self._entries, self._vector = table.shape
        shape = list(indices.shape)
        self._axis = vector_axis % len(shape)
        shape[self._axis] *= self._vector
        super().__init__(dtype, tuple(shape))
        self._indices = indices
        self._table = table

    @property
    def can_slice(self) -> bool:
        return self._indices.can_slice and (self._vector == 1 or self._axis > 0)

    def expand(self) -> Array:
        return self._slice(0, self._indices.shape[0])

    def rows(self, begin: int, end: int) -> Array:
        return self._slice(begin, end) if self.can_slice else self.expand()[begin:end]

    def take(self, numbers: NDArray[np.int64]) -> Array:
        if not self.can_slice:
            return self.expand()[numbers]
        return self._look_up(self._indices.take(numbers), numbers, self._table.expand())

    def _slice(self, begin: int, end: int) -> Array:
        table = self._table.expand()
        if self._vector > 1 or any(count > 1 for count in self._blocks[1:]):
            return self._look_up(self._indices.rows(begin, end), np.arange(begin, end), table)
        palettes = table.reshape(-1, self._entries)
        block_rows = self.shape[0] // self._blocks[0]
        out = np.empty((end - begin, *self.shape[1:]), palettes.dtype)
        for block in range(begin // block_rows, -(-end // block_rows)):
            first = max(begin, block * block_rows)
            last = min(end, (block + 1) * block_rows)
            self._fill(out[first - begin : last - begin], first, last, palettes[block])
        return out

    def _fill(self, out: Array, first: int, last: int, palette: Array) -> None:
        """Rows `first` to `last`, which share one palette [P]."""
        source = self._indices
        if isinstance(source, StoredWeight) and source.rows_are_nibbles and palette.dtype == np.float32:
            look_up_pairs(source.packed_rows(first, last), palette, out)
        else:
            np.take(palette, source.rows(first, last), out=out, mode="clip")

    def _look_up(self, indices: Array, numbers: NDArray[np.int64], table: Array) -> Array:
        """Any layout of blocks: `indices` are the rows of these numbers."""
        block = np.zeros((1,) * indices.ndim, np.int64)
        for axis, (length, count) in enumerate(zip(self._indices.shape, self._blocks, strict=True)):
            places = numbers if axis == 0 else np.arange(length)
            shape = [1] * indices.ndim
            shape[axis] = len(places)
            block = block * count + (places // (length // count)).reshape(shape)
        values = table.reshape(-1, self._vector)[block * self._entries + indices]
        if self._vector == 1:
            return np.asarray(values[..., 0])
        values = np.moveaxis(values, -1, self._axis + 1)
        merged = list(indices.shape)
        merged[self._axis] *= self._vector
        return values.reshape(merged)


class ScaledWeight(PackedWeight):
    """scale · (data − offset), one scale and offset a block of the tensor; `scale` has the tensor's rank."""

    def __init__(self, dtype: str, data: PackedWeight, scale: PackedWeight, offset: PackedWeight | None) -> None:
        super().__init__(dtype, data.shape)
        self._data = data
        self._scale = scale
        self._offset = offset

    @property
    def can_slice(self) -> bool:
        return self._data.can_slice

    def expand(self) -> Array:
        return self._scaled(self._float_rows(0, self.shape[0]), np.arange(self.shape[0]))

    def rows(self, begin: int, end: int) -> Array:
        return self._scaled(self._float_rows(begin, end), np.arange(begin, end))

    def take(self, numbers: NDArray[np.int64]) -> Array:
        return self._scaled(self._data.take(numbers).astype(np.float32), numbers)

    def _float_rows(self, begin: int, end: int) -> NDArray[np.float32]:
        source = self._data
        if isinstance(source, StoredWeight) and source.rows_are_nibbles:
            levels = np.arange(16, dtype=np.float32)
            if source.dtype == "int4":
                levels[8:] -= 16
            out = np.empty((end - begin, *self.shape[1:]), np.float32)
            look_up_pairs(source.packed_rows(begin, end), levels, out)
            return out
        return source.rows(begin, end).astype(np.float32)

    def _scaled(self, data: NDArray[np.float32], numbers: NDArray[np.int64]) -> Array:
        """Scale `data`, the rows of these numbers, in place."""
        block_rows = self.shape[0] // self._scale.shape[0]
        # Axis by axis [length] -> [blocks, elements a block], so that one scale broadcasts over its block.
        split: list[int] = [len(numbers)]
        for length, blocks in zip(self.shape[1:], self._scale.shape[1:], strict=True):
            split += [blocks, length // blocks]
        view = data.reshape(split)
        for part, apply in ((self._offset, np.subtract), (self._scale, np.multiply)):
            if part is not None:
                factors = part.expand().astype(np.float32)[numbers // block_rows]
                spread = [len(numbers)]
                for blocks in part.shape[1:]:
                    spread += [blocks, 1]
                apply(view, factors.reshape(spread), out=view)
        return data


def look_up_pairs(packed: NDArray[np.uint8], palette: NDArray[np.float32], out: Array) -> None:
    """Expand nibbles by `palette` [16] into `out`, contiguous, of twice as many elements.

    Two at a time: a byte chooses one of 256 pairs. 0.8 billion elements a second on one core, against 0.3 by nibble.
    """
    pairs = np.empty((16, 16, 2), np.float32)
    pairs[..., 0] = palette[None, :]  # the low nibble comes first
    pairs[..., 1] = palette[:, None]
    # complex64 is used as "8 bytes" only: numpy moves the two floats as one element.
    target = out.reshape(-1).view(np.complex64).reshape(packed.shape)
    np.take(pairs.view(np.complex64).reshape(256), packed, out=target, mode="clip")


def as_computed(array: Array) -> Array:
    """A fresh, writable array: float32 for the 16-bit floats, otherwise of the type it has."""
    return array.astype(np.float32 if array.dtype == np.float16 else array.dtype)
