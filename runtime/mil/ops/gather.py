"""Ops that pick elements by index."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from runtime.mil.ops.registry import kernel
from runtime.mil.weights.budget import WeightHandle

Indices = tuple[Tensor, Tensor | None]
"""Indices that are all in range, and where the ones given were not (None if they all were)."""


def checked(indices: Tensor, length: int, *, opset: int, validate: bool = False) -> Indices:
    """Indices into an axis of `length`, made safe.

    Before iOS 17 negative ones count from the end. Since then they are out of range, which is an error where the
    program asks for validation and undefined where it does not: such elements come out as NaN (see `poisoned`), so
    that a program that only looks at them to throw them away runs, and one that uses them is seen to.
    """
    if indices.numel() == 0:
        return indices, None
    low, high = torch.aminmax(indices)
    if opset < 17 and low < 0:
        indices = torch.where(indices < 0, indices + length, indices)
        low, high = torch.aminmax(indices)
    if low >= 0 and high < length:
        return indices, None
    if validate:
        raise IndexError(f"indices reach from {int(low)} to {int(high)} on an axis of length {length}")
    return torch.clamp(indices, 0, max(length - 1, 0)), (indices < 0) | (indices >= length)


def poisoned(values: Tensor, wrong: Tensor | None, axis: int) -> Tensor:
    """`values` with NaN where `wrong`, whose axes start at `axis`; integers stay as they are."""
    if wrong is None or not values.dtype.is_floating_point:
        return values
    shape = (*wrong.shape, *(1,) * (values.ndim - axis - wrong.ndim))
    return values.masked_fill(wrong.reshape(shape), math.nan)


@kernel("gather", weights=("x",))
def gather(
    x: Tensor | WeightHandle,
    indices: Tensor,
    *,
    axis: int = 0,
    batch_dims: int = 0,
    validate_indices: bool = False,
    opset: int,
) -> Tensor:
    """Slices of `x` along `axis`; the first `batch_dims` axes of `x` and `indices` go together."""
    axis %= len(x.shape)
    safe, wrong = checked(indices, x.shape[axis], opset=opset, validate=validate_indices)
    if isinstance(x, WeightHandle):
        if axis == 0 and x.packed.can_slice:
            rows = x.take(safe.reshape(-1)).reshape((*indices.shape, *x.shape[1:]))
            return poisoned(rows, wrong, 0)
        x = x.dense()
    if batch_dims == 0:
        picked = x.index_select(axis, safe.reshape(-1))
        picked = picked.reshape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))
        return poisoned(picked, wrong, axis)
    batch = math.prod(x.shape[:batch_dims])
    source = x.reshape(batch, *x.shape[batch_dims:])
    numbers = safe.reshape(batch, -1)
    parts = [source[b].index_select(axis - batch_dims, numbers[b]) for b in range(batch)]
    shape = (*x.shape[:axis], *indices.shape[batch_dims:], *x.shape[axis + 1 :])
    if wrong is not None:
        flags = wrong.reshape(batch, -1)
        parts = [poisoned(part, flags[b], axis - batch_dims) for b, part in enumerate(parts)]
    return torch.stack(parts).reshape(shape)


@kernel("gather_along_axis")
def gather_along_axis(
    x: Tensor, indices: Tensor, *, axis: int = 0, validate_indices: bool = False, opset: int
) -> Tensor:
    """x[…, indices[…, i, …], …]: as many indices as there are results."""
    safe, wrong = checked(indices, x.shape[axis], opset=opset, validate=validate_indices)
    return poisoned(torch.gather(x, axis, safe), wrong, 0)


@kernel("gather_nd")
def gather_nd(x: Tensor, indices: Tensor, *, batch_dims: int = 0, validate_indices: bool = False, opset: int) -> Tensor:
    """x[indices[…, :]]: the last axis of `indices` holds an index for each axis of `x` after the batch axes."""
    depth = indices.shape[-1]
    numbers: list[Tensor] = []
    wrong: Tensor | None = None
    for place in range(depth):
        safe, bad = checked(indices[..., place], x.shape[batch_dims + place], opset=opset, validate=validate_indices)
        numbers.append(safe)
        if bad is not None:
            wrong = bad if wrong is None else wrong | bad
    batch: list[Tensor] = []
    for axis in range(batch_dims):
        shape = [1] * (indices.ndim - 1)
        shape[axis] = -1
        batch.append(torch.arange(x.shape[axis]).reshape(shape))
    return poisoned(x[(*batch, *numbers)], wrong, 0)
