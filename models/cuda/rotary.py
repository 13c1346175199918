"""Rotates the queries and keys of rows, and stores their keys and values in the states' caches.

R rows, K key heads, G query heads that share a key, H = K·G, D head size, C positions of a cache.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from models.cuda.early import launched, let_next_begin, wait_for_before
from models.cuda.machine import interpreted
from models.cuda.rows import Rows


def rotate_and_store(
    qkv: Tensor,
    table: tuple[Tensor, Tensor] | None,
    rows: Rows,
    layer: int,
    context: int,
    *,
    early: bool = False,
) -> Tensor:
    """Put each row's key and value into its cache; the rotated queries, float32 [R, H, D].

    `qkv` [R, K, G + 2, D] is the fused matrix's product, contiguous. `table` are cosine and sine, float32 [C, D], None
    for models that rotate nothing. Of the caches, of `context` = C positions, `layer` is written. For padding nothing
    is stored, and its queries are not set.
    """
    count, kv_heads, wide, head_dim = qkv.shape
    query = torch.empty((count, kv_heads * (wide - 2), head_dim), dtype=torch.float32, device=qkv.device)
    cos, sin = table if table is not None else (qkv, qkv)
    heads = 256 if interpreted() else 16  # of all rows, a program
    _rotate_and_store[(triton.cdiv(count * kv_heads * wide, heads),)](
        qkv,
        cos,
        sin,
        query,
        rows.positions,
        rows.keys,
        rows.values,
        count,
        layer * kv_heads * context * head_dim,
        context,
        KV_HEADS=kv_heads,
        WIDE=wide,
        HALF=head_dim // 2,
        ROTATES=table is not None,
        HEADS=heads,
        num_warps=4,
        **launched(early),
    )
    return query


@triton.jit
def _rotate_and_store(
    qkv,
    cos,
    sin,
    query,
    positions,
    key_caches,
    value_caches,
    count,
    layer_offset,
    context,
    KV_HEADS: tl.constexpr,
    WIDE: tl.constexpr,
    HALF: tl.constexpr,
    ROTATES: tl.constexpr,
    HEADS: tl.constexpr,
    EARLY: tl.constexpr,
):
    let_next_begin(EARLY)
    place = tl.program_id(0) * HEADS + tl.arange(0, HEADS)  # the heads of a row, then those of the next
    row = place // (KV_HEADS * WIDE)
    kv_head = place // WIDE % KV_HEADS
    member = place % WIDE  # of the key's queries, then the key, then the value
    is_value = member == WIDE - 1
    low = tl.arange(0, HALF)[None, :]
    inside = row < count
    position = tl.load(positions + row, mask=inside, other=-1)
    exists = inside & (position >= 0)
    address = tl.load(value_caches + row, mask=exists & is_value, other=0)
    address += tl.load(key_caches + row, mask=exists & (member == WIDE - 2), other=0)
    if ROTATES:
        turns = (exists & (member < WIDE - 1))[:, None]
        angle = position[:, None] * (2 * HALF) + low
        first_cos = tl.load(cos + angle, mask=turns, other=1.0)
        first_sin = tl.load(sin + angle, mask=turns, other=0.0)
        second_cos = tl.load(cos + angle + HALF, mask=turns, other=1.0)
        second_sin = tl.load(sin + angle + HALF, mask=turns, other=0.0)
    wait_for_before(EARLY)
    source = qkv + place[:, None] * (2 * HALF) + low
    first = tl.load(source, mask=exists[:, None], other=0.0).to(tl.float32)
    second = tl.load(source + HALF, mask=exists[:, None], other=0.0).to(tl.float32)
    if ROTATES:
        turned = first * first_cos - second * first_sin
        second = second * second_cos + first * second_sin
        first = turned
    is_query = (exists & (member < WIDE - 2))[:, None]
    head = (row * KV_HEADS + kv_head) * (WIDE - 2) + member
    out = query + head[:, None] * (2 * HALF) + low
    tl.store(out, first, mask=is_query)
    tl.store(out + HALF, second, mask=is_query)
    stored = (exists & (member >= WIDE - 2))[:, None]
    offset = tl.cast(layer_offset, tl.int64) + (kv_head * context + position) * (2 * HALF)
    target = address.to(tl.pointer_type(tl.float16))[:, None] + (offset[:, None] + low)
    tl.store(target, first.to(tl.float16), mask=stored)
    tl.store(target + HALF, second.to(tl.float16), mask=stored)
