"""Products: linear layers, matrices, attention, convolutions. They take compressed weights as they are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from runtime.mil.ops.registry import kernel
from runtime.mil.weights.budget import WeightHandle

# Weights that cannot be kept are expanded so many elements (16 MiB) at a time: what is expanded is multiplied while it
# is in the processor's cache, and no weight ever needs its full size in memory.
_CHUNK_ELEMENTS = 1 << 22
# Attention scores that exist at a time (128 MiB); a longer query is taken in parts.
_SCORE_ELEMENTS = 1 << 25


@kernel("linear", weights=("weight",))
def linear(x: Tensor, weight: Tensor | WeightHandle, bias: Tensor | None = None) -> Tensor:
    """x [..., in] · weightᵀ [in, out] + bias, the weight being [out, in]."""
    if isinstance(weight, WeightHandle):
        dense = weight.kept()
        if dense is None and weight.packed.can_slice:
            result = _linear_by_rows(x, weight)
            return result if bias is None else result + bias
        weight = weight.dense() if dense is None else dense
    return F.linear(x, weight, bias)


def _linear_by_rows(x: Tensor, weight: WeightHandle) -> Tensor:
    """The product with a weight [out, in] of which only a few rows are expanded at a time."""
    outputs, inputs = weight.shape
    step = max(1, _CHUNK_ELEMENTS // inputs)
    parts = [F.linear(x, weight.rows(begin, min(begin + step, outputs))) for begin in range(0, outputs, step)]
    return torch.cat(parts, -1)


@kernel("matmul", weights=("x", "y"))
def matmul(
    x: Tensor | WeightHandle, y: Tensor | WeightHandle, *, transpose_x: bool = False, transpose_y: bool = False
) -> Tensor:
    """x · y over the last two axes, the others broadcast."""
    left = x.dense() if isinstance(x, WeightHandle) else x
    if transpose_x:
        left = left.transpose(-1, -2)
    if isinstance(y, WeightHandle):
        if transpose_y and len(y.shape) == 2 and left.ndim > 1:
            return linear(left, y)
        y = y.dense()
    return torch.matmul(left, y.transpose(-1, -2) if transpose_y else y)


@kernel("einsum", lists=("values",))
def einsum(values: Sequence[Tensor], *, equation: str) -> Tensor:
    """Sum of products over the axes that the equation names."""
    return torch.einsum(equation, *values)


@kernel("scaled_dot_product_attention")
def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None) -> Tensor:
    """softmax(query · keyᵀ / √E + mask) · value; query [B, …, L, E], key [B, …, S, E], value [B, …, S, V]."""
    length = query.shape[-2]
    scores = math.prod(query.shape[:-1]) * key.shape[-2]
    step = max(1, length * _SCORE_ELEMENTS // max(scores, 1))
    if step >= length:
        return _attention(query, key, value, attn_mask)
    parts: list[Tensor] = []
    for begin in range(0, length, step):
        rows = slice(begin, begin + step)
        one_for_all = attn_mask is None or attn_mask.ndim < 2 or attn_mask.shape[-2] == 1
        mask = attn_mask if attn_mask is None or one_for_all else attn_mask[..., rows, :]
        parts.append(_attention(query[..., rows, :], key, value, mask))
    return torch.cat(parts, -2)


def _attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    scores = torch.matmul(query, key.transpose(-1, -2)) / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask
    return torch.matmul(torch.softmax(scores, -1), value)


def _same_padding(lengths: Sequence[int], sizes: Sequence[int], strides: Sequence[int], lower: bool) -> list[int]:
    """Zeros before and after each axis that make its output ⌈length / stride⌉ long; an odd one after, or before."""
    padding: list[int] = []
    for length, size, stride in zip(lengths, sizes, strides, strict=True):
        total = max(0, (math.ceil(length / stride) - 1) * stride + size - length)
        small, large = total // 2, total - total // 2
        padding += [large, small] if lower else [small, large]
    return padding


@kernel("conv")
def conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    strides: list[int] | None = None,
    pad_type: str = "valid",
    pad: list[int] | None = None,
    dilations: list[int] | None = None,
    groups: int = 1,
) -> Tensor:
    """Convolution of x [N, in, …] with weight [out, in / groups, …] over one to three axes."""
    axes = x.ndim - 2
    strides = strides or [1] * axes
    dilations = dilations or [1] * axes
    if pad_type in ("same", "same_lower"):
        sizes = [(size - 1) * step + 1 for size, step in zip(weight.shape[2:], dilations, strict=True)]
        pad = _same_padding(x.shape[2:], sizes, strides, pad_type == "same_lower")
    elif pad_type == "valid":
        pad = None
    if pad and any(pad):
        # torch wants the last axis first.
        pairs = [pad[2 * axis : 2 * axis + 2] for axis in reversed(range(axes))]
        x = F.pad(x, [length for pair in pairs for length in pair])
    convolve = (F.conv1d, F.conv2d, F.conv3d)[axes - 1]
    return convolve(x, weight, bias, stride=strides, dilation=dilations, groups=groups)
