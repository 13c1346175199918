"""Layer norms of the hidden stream. R rows, E hidden size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor, nn

from models.cuda.early import launched, let_next_begin, wait_for_before
from models.cuda.forms import place_of, rounded_to
from models.cuda.layout import Layout
from models.cuda.machine import interpreted


def normalized(
    hidden: Tensor, norms: Sequence[nn.LayerNorm], layouts: Sequence[Layout], *, early: bool = False
) -> list[Tensor]:
    """One or two layer norms of `hidden`, float32 [R, E] and contiguous, in one pass: [R, E] each, laid as `layouts`.

    Norms of one call share an epsilon.
    """
    count, size = hidden.shape
    first, last = norms[0], norms[-1]
    out = [torch.empty_like(hidden, dtype=layout.dtype) for layout in layouts]
    rows = 16 if interpreted() else 1  # a program
    _normalize[(triton.cdiv(count, rows),)](
        hidden,
        first.weight,
        first.bias,
        last.weight,
        last.bias,
        out[0],
        out[-1],
        count,
        first.eps,
        ROWS=rows,
        SIZE=size,
        PADDED=triton.next_power_of_2(size),
        NORMS=len(norms),
        PLACES=layouts[0].places,
        OTHER_PLACES=layouts[-1].places,
        num_warps=16 if size > 8192 else 8 if size > 2048 else 4,
        **launched(early),
    )
    return out


@triton.jit
def _normalize(
    hidden,
    weight,
    bias,
    other_weight,
    other_bias,
    out,
    other_out,
    count,
    epsilon,
    ROWS: tl.constexpr,
    SIZE: tl.constexpr,
    PADDED: tl.constexpr,
    NORMS: tl.constexpr,
    PLACES: tl.constexpr,
    OTHER_PLACES: tl.constexpr,
    EARLY: tl.constexpr,
):
    let_next_begin(EARLY)
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)[:, None]
    column = tl.arange(0, PADDED)[None, :]
    known = column < SIZE
    scale = tl.load(weight + column, mask=known, other=0.0)
    shift = tl.load(bias + column, mask=known, other=0.0)
    if NORMS > 1:
        other_scale = tl.load(other_weight + column, mask=known, other=0.0)
        other_shift = tl.load(other_bias + column, mask=known, other=0.0)
    wait_for_before(EARLY)
    exists = (row < count) & known
    place = row * SIZE + column
    x = tl.load(hidden + place, mask=exists, other=0.0)
    centred = tl.where(exists, x - (tl.sum(x, 1) / SIZE)[:, None], 0.0)
    normal = centred * tl.rsqrt(tl.sum(centred * centred, 1) / SIZE + epsilon)[:, None]
    first = rounded_to(normal * scale + shift, out.dtype.element_ty)
    tl.store(out + row * SIZE + place_of(column, SIZE, PLACES), first, mask=exists)
    if NORMS > 1:
        other = rounded_to(normal * other_scale + other_shift, other_out.dtype.element_ty)
        tl.store(other_out + row * SIZE + place_of(column, SIZE, OTHER_PLACES), other, mask=exists)
