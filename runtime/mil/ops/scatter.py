"""Ops that write at indices. Each gives a new tensor."""

from __future__ import annotations

import torch
from torch import Tensor

from runtime.mil.ops.gather import checked
from runtime.mil.ops.registry import kernel

_REDUCTIONS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def _write(flat: Tensor, places: Tensor, updates: Tensor, mode: str, wrong: Tensor | None) -> Tensor:
    """`flat` [n] with `updates` [m] brought in at `places` [m]; those that are `wrong` [m] are left out."""
    if wrong is not None:
        places, updates = places[~wrong], updates[~wrong]
    match mode:
        case "update":
            return flat.scatter(0, places, updates)
        case "sub":
            return flat.scatter_reduce(0, places, -updates, "sum")
        case "div":
            # One division after the other, as the order of a product of reciprocals would round differently.
            ones = torch.ones_like(flat).scatter_reduce(0, places, updates, "prod")
            return flat / ones if flat.dtype.is_floating_point else torch.div(flat, ones, rounding_mode="trunc")
    return flat.scatter_reduce(0, places, updates, _REDUCTIONS[mode])


@kernel("scatter")
def scatter(
    data: Tensor,
    indices: Tensor,
    updates: Tensor,
    *,
    axis: int = 0,
    mode: str = "add",
    validate_indices: bool = False,
    opset: int,
) -> Tensor:
    """`data` with slices along `axis` changed: slice indices[i] by slice i of `updates`."""
    axis %= data.ndim
    shape = [1] * data.ndim
    shape[axis] = -1
    spread = indices.reshape(shape).expand(updates.shape) if indices.ndim <= 1 else indices.expand(updates.shape)
    return scatter_along_axis(
        data, spread, updates, axis=axis, mode=mode, validate_indices=validate_indices, opset=opset
    )


@kernel("scatter_along_axis")
def scatter_along_axis(
    data: Tensor,
    indices: Tensor,
    updates: Tensor,
    *,
    axis: int = 0,
    mode: str = "add",
    validate_indices: bool = False,
    opset: int,
) -> Tensor:
    """`data` changed at data[…, indices[…, i, …], …] by updates[…, i, …]."""
    axis %= data.ndim
    safe, wrong = checked(indices, data.shape[axis], opset=opset, validate=validate_indices)
    numbers = torch.zeros((), dtype=torch.int64)
    for place, length in enumerate(data.shape):
        shape = [1] * data.ndim
        shape[place] = -1
        along = safe if place == axis else torch.arange(indices.shape[place]).reshape(shape)
        numbers = numbers * length + along
    flat_wrong = None if wrong is None else wrong.reshape(-1)
    return _write(data.reshape(-1), numbers.reshape(-1), updates.reshape(-1), mode, flat_wrong).reshape(data.shape)


@kernel("scatter_nd")
def scatter_nd(
    data: Tensor, indices: Tensor, updates: Tensor, *, mode: str = "add", validate_indices: bool = False, opset: int
) -> Tensor:
    """`data` changed at data[indices[…, :]]: the last axis of `indices` holds an index for each leading axis."""
    depth = indices.shape[-1]
    numbers = torch.zeros(indices.shape[:-1], dtype=torch.int64)
    wrong: Tensor | None = None
    for place in range(depth):
        safe, bad = checked(indices[..., place], data.shape[place], opset=opset, validate=validate_indices)
        numbers = numbers * data.shape[place] + safe
        if bad is not None:
            wrong = bad if wrong is None else wrong | bad
    slice_length = data[(0,) * depth].numel() if data.numel() else 0
    places = numbers.reshape(-1, 1) * slice_length + torch.arange(slice_length)
    flat_wrong = None if wrong is None else wrong.reshape(-1, 1).expand(places.shape).reshape(-1)
    return _write(data.reshape(-1), places.reshape(-1), updates.reshape(-1), mode, flat_wrong).reshape(data.shape)
