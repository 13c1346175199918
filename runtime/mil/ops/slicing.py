"""Slices: read, cut and written. These ops also take 16-bit states as they are stored, without widening them first."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from runtime.mil.errors import PackageError
from runtime.mil.ops.registry import kernel

Mask = list[bool] | None
Slices = tuple[slice | int, ...]


def solve_slices(
    shape: Sequence[int],
    begin: Sequence[int],
    end: Sequence[int],
    stride: Sequence[int] | None,
    begin_mask: Mask,
    end_mask: Mask,
    squeeze_mask: Mask,
) -> Slices:
    """The slice of each axis: as Python's, a mask leaving its end open; a squeezed axis is a single index.

    Raises PackageError for lists of another length than the tensor has axes.
    """
    for given in (begin, end, stride, begin_mask, end_mask, squeeze_mask):
        if given is not None and len(given) != len(shape):
            raise PackageError(
                f"The program is damaged: it slices {len(given)} axes of a tensor that has {len(shape)}. "
                "Export or download it again."
            )
    if stride is None and begin_mask is None and end_mask is None and squeeze_mask is None:
        return tuple(map(slice, begin, end))
    slices: list[slice | int] = []
    for axis in range(len(shape)):
        first = None if begin_mask is not None and begin_mask[axis] else begin[axis]
        if squeeze_mask is not None and squeeze_mask[axis]:
            slices.append(first or 0)
            continue
        last = None if end_mask is not None and end_mask[axis] else end[axis]
        slices.append(slice(first, last, 1 if stride is None else stride[axis]))
    return tuple(slices)


def _forwards(shape: Sequence[int], slices: Slices) -> tuple[Slices, list[int]]:
    """The same elements by slices with positive steps, which is all that torch has, and the axes to turn round."""
    turned: list[int] = []
    result: list[slice | int] = []
    axis = 0  # of the result: squeezed axes are gone from it
    for length, item in zip(shape, slices, strict=True):
        if isinstance(item, int):
            result.append(item)
            continue
        if item.step is not None and item.step < 0:
            places = range(*item.indices(length))
            turned.append(axis)
            item = slice(places[-1], places[0] + 1, -item.step) if places else slice(0, 0)
        result.append(item)
        axis += 1
    return tuple(result), turned


@kernel("slice_by_index", takes_half=True)
def slice_by_index(
    x: Tensor,
    *,
    begin: list[int],
    end: list[int],
    stride: list[int] | None = None,
    begin_mask: Mask = None,
    end_mask: Mask = None,
    squeeze_mask: Mask = None,
) -> Tensor:
    """x[begin:end:stride] on every axis at once."""
    slices = solve_slices(x.shape, begin, end, stride, begin_mask, end_mask, squeeze_mask)
    if stride is not None and min(stride) < 0:
        slices, turned = _forwards(x.shape, slices)
        return torch.flip(x[slices], turned)
    return x[slices]


@kernel("slice_by_size")
def slice_by_size(x: Tensor, *, begin: list[int], size: list[int]) -> Tensor:
    """`size` elements from `begin` on, on every axis; −1 for all that are left."""
    slices = []
    for length, first, count in zip(x.shape, begin, size, strict=True):
        start = first + length if first < 0 else first
        slices.append(slice(start, None if count == -1 else start + count))
    return x[tuple(slices)]


@kernel("slice_update", takes_half=True)
def slice_update(
    x: Tensor,
    update: Tensor,
    *,
    begin: list[int],
    end: list[int],
    stride: list[int] | None = None,
    begin_mask: Mask = None,
    end_mask: Mask = None,
    squeeze_mask: Mask = None,
) -> Tensor:
    """`x` with the slice that slice_by_index would read replaced by `update`."""
    return write_slice(
        x.clone(),
        update,
        begin=begin,
        end=end,
        stride=stride,
        begin_mask=begin_mask,
        end_mask=end_mask,
        squeeze_mask=squeeze_mask,
    )


def write_slice(
    x: Tensor,
    update: Tensor,
    *,
    begin: list[int],
    end: list[int],
    stride: list[int] | None = None,
    begin_mask: Mask = None,
    end_mask: Mask = None,
    squeeze_mask: Mask = None,
) -> Tensor:
    """slice_update in place."""
    slices = solve_slices(x.shape, begin, end, stride, begin_mask, end_mask, squeeze_mask)
    if stride is not None and min(stride) < 0:
        slices, turned = _forwards(x.shape, slices)
        update = torch.flip(update.reshape(x[slices].shape), turned)
    target = x[slices]
    target.copy_(update.reshape(target.shape))
    return x
