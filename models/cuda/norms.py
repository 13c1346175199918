"""Sums of the hidden stream and its layer norms, in one pass over it. R rows, E hidden size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor, nn


def add_and_normalize(
    hidden: Tensor, parts: Sequence[Tensor], norms: Sequence[nn.LayerNorm]
) -> tuple[Tensor, list[Tensor]]:
    """`hidden` and its `parts`, none to two, summed, and one or two layer norms of the sum: float32 [R, E] each.

    Tensors are contiguous; `hidden` is float32 and is overwritten by the sum. Norms of one call share an epsilon.
    """
    count, size = hidden.shape
    first, last = norms[0], norms[-1]
    out = [torch.empty_like(hidden) for _ in norms]
    added = (*parts, hidden, hidden)
    _add_and_normalize[(count,)](
        hidden,
        added[0],
        added[1],
        first.weight,
        first.bias,
        last.weight,
        last.bias,
        out[0],
        out[-1],
        first.eps,
        SIZE=size,
        PADDED=triton.next_power_of_2(size),
        PARTS=len(parts),
        NORMS=len(norms),
        num_warps=16 if size > 8192 else 8 if size > 2048 else 4,
    )
    return hidden, out


@triton.jit
def _add_and_normalize(
    hidden,
    part,
    other_part,
    weight,
    bias,
    other_weight,
    other_bias,
    out,
    other_out,
    epsilon,
    SIZE: tl.constexpr,
    PADDED: tl.constexpr,
    PARTS: tl.constexpr,
    NORMS: tl.constexpr,
):
    row = tl.program_id(0)
    column = tl.arange(0, PADDED)
    exists = column < SIZE
    place = row * SIZE + column
    x = tl.load(hidden + place, mask=exists, other=0.0)
    if PARTS > 0:
        if PARTS > 1:
            x = tl.load(part + place, mask=exists, other=0.0) + tl.load(other_part + place, mask=exists, other=0.0) + x
        else:
            x = tl.load(part + place, mask=exists, other=0.0) + x
        tl.store(hidden + place, x, mask=exists)
    centred = tl.where(exists, x - tl.sum(x, 0) / SIZE, 0.0)
    normal = centred * tl.rsqrt(tl.sum(centred * centred, 0) / SIZE + epsilon)
    scaled = normal * tl.load(weight + column, mask=exists, other=0.0) + tl.load(bias + column, mask=exists, other=0.0)
    tl.store(out + place, scaled, mask=exists)
    if NORMS > 1:
        scaled = normal * tl.load(other_weight + column, mask=exists, other=0.0)
        scaled += tl.load(other_bias + column, mask=exists, other=0.0)
        tl.store(other_out + place, scaled, mask=exists)
