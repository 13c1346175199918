"""Ops that reduce, sort or accumulate along axes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from runtime.mil.ops.elementwise import narrow
from runtime.mil.ops.registry import add_kernel, kernel

Axes = list[int]


def _reduction(function: Callable[[Tensor, Axes, bool], Tensor], name: str) -> None:
    def apply(x: Tensor, *, axes: Axes | None = None, keep_dims: bool = False) -> Tensor:
        return function(x, list(range(x.ndim)) if axes is None else axes, keep_dims)

    add_kernel(apply, name)


def _mean(x: Tensor, axes: Axes, keep: bool) -> Tensor:
    mean = x.to(torch.float32).mean(axes, keep)
    return mean.to(x.dtype)


def _product(x: Tensor, axes: Axes, keep: bool) -> Tensor:
    for axis in sorted((axis % x.ndim for axis in axes), reverse=True):
        x = torch.prod(x, axis, keep)
    return x


_reduction(lambda x, axes, keep: torch.sum(x, axes, keep), "reduce_sum")
_reduction(_mean, "reduce_mean")
_reduction(torch.amax, "reduce_max")
_reduction(torch.amin, "reduce_min")
_reduction(_product, "reduce_prod")
_reduction(lambda x, axes, keep: torch.sum(torch.abs(x), axes, keep), "reduce_l1_norm")
_reduction(lambda x, axes, keep: torch.sqrt(torch.sum(torch.square(x), axes, keep)), "reduce_l2_norm")
_reduction(lambda x, axes, keep: torch.sum(torch.square(x), axes, keep), "reduce_sum_square")
_reduction(lambda x, axes, keep: torch.log(torch.sum(x, axes, keep)), "reduce_log_sum")
_reduction(torch.logsumexp, "reduce_log_sum_exp")


@kernel("reduce_argmax")
def reduce_argmax(x: Tensor, *, axis: int = -1, keep_dims: bool = False, output_dtype: str = "int32") -> Tensor:
    """Place of the greatest element along `axis`."""
    return narrow(torch.argmax(x, axis, keep_dims), output_dtype)


@kernel("reduce_argmin")
def reduce_argmin(x: Tensor, *, axis: int = -1, keep_dims: bool = False, output_dtype: str = "int32") -> Tensor:
    """Place of the least element along `axis`."""
    return narrow(torch.argmin(x, axis, keep_dims), output_dtype)


@kernel("argsort")
def argsort(x: Tensor, *, axis: int = -1, ascending: bool = False) -> Tensor:
    """Places of the elements along `axis` in order."""
    return torch.argsort(x, dim=axis, descending=not ascending, stable=True)


@kernel("topk")
def topk(
    x: Tensor,
    *,
    k: int = 1,
    axis: int = -1,
    ascending: bool = False,
    sort: bool = True,
    return_indices: bool = True,
    output_indices_dtype: str = "int32",
) -> tuple[Tensor, ...]:
    """The `k` greatest (least when ascending) elements along `axis` and where they are."""
    count = x.shape[axis] if k == -1 else k
    values, indices = torch.topk(x, count, axis, largest=not ascending, sorted=sort)
    return (values, narrow(indices, output_indices_dtype)) if return_indices else (values,)


@kernel("cumsum")
def cumsum(x: Tensor, *, axis: int = 0, exclusive: bool = False, reverse: bool = False) -> Tensor:
    """Running sums along `axis`, from the end when `reverse`, without the element itself when `exclusive`."""
    source = torch.flip(x, [axis]) if reverse else x
    sums = torch.cumsum(source, axis)
    if exclusive:
        sums = sums - source
    return torch.flip(sums, [axis]) if reverse else sums


@kernel("non_zero")
def non_zero(x: Tensor) -> Tensor:
    """Places of the elements that are not 0 [count, rank]."""
    return torch.nonzero(x)
