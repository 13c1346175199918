"""Ops that make, arrange and measure tensors without arithmetic on their elements."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from runtime.mil.ops.registry import kernel


@kernel("shape", takes_half=True)
def shape(x: Tensor) -> Tensor:
    """Lengths of the axes of `x`."""
    return torch.tensor(x.shape, dtype=torch.int64)


@kernel("reshape")
def reshape(x: Tensor, *, shape: list[int], opset: int) -> Tensor:
    """The same elements under another shape.

    −1 stands for what is left; 0 for the length of the axis of `x` in the same place, counted from the left before
    iOS 17 and from the right since.
    """
    if 0 in shape and x.numel():
        from_right = len(shape) - x.ndim if opset >= 17 else 0
        shape = [
            length or (x.shape[axis - from_right] if axis >= from_right else 1) for axis, length in enumerate(shape)
        ]
    return x.reshape(shape)


@kernel("reshape_like", lists=("ref_tensors", "begins", "ends", "end_masks"))
def reshape_like(
    x: Tensor, ref_tensors: Sequence[Tensor], *, begins: list[int], ends: list[int], end_masks: list[bool]
) -> Tensor:
    """The same elements under a shape put together from parts of the shapes of other tensors."""
    lengths: list[int] = []
    for tensor, begin, end, is_open in zip(ref_tensors, begins, ends, end_masks, strict=True):
        lengths += tensor.shape[begin:] if is_open else tensor.shape[begin:end]
    return x.reshape(lengths)


@kernel("flatten2d")
def flatten2d(x: Tensor, *, axis: int = 1) -> Tensor:
    """Two axes: those before `axis` and the others."""
    return x.reshape(math.prod(x.shape[:axis]), -1)


@kernel("expand_dims")
def expand_dims(x: Tensor, *, axes: list[int]) -> Tensor:
    """Axes of length 1 put in; `axes` are places in the result."""
    rank = x.ndim + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


@kernel("squeeze")
def squeeze(x: Tensor, *, axes: list[int] | None = None) -> Tensor:
    """Axes of length 1 taken out."""
    return x.squeeze() if axes is None else x.squeeze(tuple(axes))


@kernel("transpose")
def transpose(x: Tensor, *, perm: list[int]) -> Tensor:
    """Axes in another order."""
    return x.permute(perm) if perm else x


@kernel("concat", lists=("values",))
def concat(values: Sequence[Tensor], *, axis: int, interleave: bool = False) -> Tensor:
    """Tensors one after the other along `axis`, or element by element in turn."""
    if interleave:
        place = axis % values[0].ndim
        return torch.stack(tuple(values), place + 1).flatten(place, place + 1)
    return torch.cat([value.reshape(1) if value.ndim == 0 else value for value in values], axis)


@kernel("stack", lists=("values",))
def stack(values: Sequence[Tensor], *, axis: int) -> Tensor:
    """Tensors side by side along a new axis."""
    return torch.stack(tuple(values), axis)


@kernel("split")
def split(
    x: Tensor, *, axis: int, num_splits: int | None = None, split_sizes: list[int] | None = None
) -> tuple[Tensor, ...]:
    """Pieces of `x` along `axis`, of the sizes given or all of one."""
    if split_sizes is None:
        return torch.tensor_split(x, num_splits or 1, axis)
    return torch.split(x, split_sizes, axis)


@kernel("tile")
def tile(x: Tensor, *, reps: list[int]) -> Tensor:
    """`x` repeated along each axis."""
    return x.repeat(reps)


@kernel("reverse")
def reverse(x: Tensor, *, axes: list[int] | None = None) -> Tensor:
    """Axes turned round, all of them by default."""
    return torch.flip(x, list(range(x.ndim)) if axes is None else axes)


@kernel("pad")
def pad(x: Tensor, *, pad: list[int], mode: str = "constant", constant_val: float = 0.0) -> Tensor:
    """Elements put before and after the last axes; `pad` holds a pair for each of those axes, in order."""
    pairs = list(zip(pad[::2], pad[1::2], strict=True))
    first = x.ndim - len(pairs)
    if mode == "constant":
        flat = [length for pair in reversed(pairs) for length in pair]
        return torch.nn.functional.pad(x, flat, value=constant_val)
    for axis, (before, after) in enumerate(pairs, first):
        if before or after:
            places = torch.arange(-before, x.shape[axis] + after)
            last = x.shape[axis] - 1
            if mode == "reflect":
                places = last - (last - places.abs()).abs()
            x = x.index_select(axis, places.clamp(0, last))
    return x


@kernel("sliding_windows")
def sliding_windows(x: Tensor, *, axis: int, size: int, stride: int = 1) -> Tensor:
    """All windows of `size` along `axis`, as a new axis after it."""
    place = axis % x.ndim
    return x.unfold(place, size, stride).movedim(-1, place + 1)


@kernel("band_part")
def band_part(x: Tensor, *, lower: int = -1, upper: int = -1) -> Tensor:
    """The band of each matrix: `lower` diagonals below the main one and `upper` above; −1 for all."""
    rows = torch.arange(x.shape[-2])[:, None]
    columns = torch.arange(x.shape[-1])
    inside = torch.ones((), dtype=torch.bool)
    if lower >= 0:
        inside = inside & (rows - columns <= lower)
    if upper >= 0:
        inside = inside & (columns - rows <= upper)
    return torch.where(inside, x, torch.zeros((), dtype=x.dtype))


@kernel("fill")
def fill(value: Tensor | None = None, *, shape: list[int]) -> Tensor:
    """A tensor of one value."""
    return torch.zeros(shape) if value is None else value.expand(shape).clone()


@kernel("fill_like")
def fill_like(ref_tensor: Tensor, value: Tensor | None = None) -> Tensor:
    """A tensor of one value in the shape of another."""
    return fill(value, shape=list(ref_tensor.shape))


@kernel("range_1d")
def range_1d(end: Tensor, start: Tensor, step: Tensor) -> Tensor:
    """start, start + step, … up to but without `end`."""
    return torch.arange(start.item(), end.item(), step.item(), dtype=start.dtype)


@kernel("one_hot")
def one_hot(
    indices: Tensor,
    on_value: Tensor | None = None,
    off_value: Tensor | None = None,
    *,
    one_hot_vector_size: int,
    axis: int = -1,
) -> Tensor:
    """A new axis with `on_value` at each index and `off_value` elsewhere."""
    on = torch.ones((), dtype=torch.int64) if on_value is None else on_value
    off = torch.zeros((), dtype=on.dtype) if off_value is None else off_value
    place = axis % (indices.ndim + 1)
    lengths = [1] * (indices.ndim + 1)
    lengths[place] = -1
    return torch.where(indices.unsqueeze(place) == torch.arange(one_hot_vector_size).reshape(lengths), on, off)
