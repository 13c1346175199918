"""Rotates the queries and keys of rows, and stores their keys and values in the states' caches.

R rows, K key heads, G query heads that share a key, H = K·G, D head size, C positions of a cache.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from models.cuda.rows import Rows

_HEADS = 16  # heads of the fused matrix a program


def rotate_and_store(
    qkv: Tensor, table: tuple[Tensor, Tensor] | None, rows: Rows, layer: int, context: int
) -> Tensor:
    """Put each row's key and value into its cache; the rotated queries, float32 [R, H, D].

    `qkv` [R, K, G + 2, D] is the fused matrix's product, contiguous. `table` are cosine and sine, float32 [C, D], None
    for models that rotate nothing. Of the caches, of `context` = C positions, `layer` is written. For padding nothing
    is stored, and its queries are not set.
    """
    count, kv_heads, wide, head_dim = qkv.shape
    query = torch.empty((count, kv_heads * (wide - 2), head_dim), dtype=torch.float32, device=qkv.device)
    cos, sin = table if table is not None else (qkv, qkv)
    _rotate_and_store[(count, triton.cdiv(kv_heads * wide, _HEADS))](
        qkv,
        cos,
        sin,
        query,
        rows.positions,
        rows.keys,
        rows.values,
        layer * kv_heads * context * head_dim,
        context,
        KV_HEADS=kv_heads,
        WIDE=wide,
        HALF=head_dim // 2,
        ROTATES=table is not None,
        HEADS=_HEADS,
        num_warps=1,
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
    layer_offset,
    context,
    KV_HEADS: tl.constexpr,
    WIDE: tl.constexpr,
    HALF: tl.constexpr,
    ROTATES: tl.constexpr,
    HEADS: tl.constexpr,
):
    row = tl.program_id(0)
    position = tl.load(positions + row)
    if position < 0:
        return
    fused = tl.program_id(1) * HEADS + tl.arange(0, HEADS)
    kv_head = fused // WIDE
    member = fused % WIDE
    exists = (fused < KV_HEADS * WIDE)[:, None]
    low = tl.arange(0, HALF)
    source = qkv + (row * KV_HEADS * WIDE + fused)[:, None] * (2 * HALF) + low[None, :]
    first = tl.load(source, mask=exists, other=0.0).to(tl.float32)
    second = tl.load(source + HALF, mask=exists, other=0.0).to(tl.float32)
    if ROTATES:
        turns = (member < WIDE - 1)[:, None]
        angle = position * (2 * HALF) + low
        cos_first, cos_second = tl.load(cos + angle)[None, :], tl.load(cos + angle + HALF)[None, :]
        sin_first, sin_second = tl.load(sin + angle)[None, :], tl.load(sin + angle + HALF)[None, :]
        turned = first * cos_first - second * sin_first
        second = tl.where(turns, second * cos_second + first * sin_second, second)
        first = tl.where(turns, turned, first)
    head = kv_head * (WIDE - 2) + member
    out = query + (row * KV_HEADS * (WIDE - 2) + head)[:, None] * (2 * HALF) + low[None, :]
    is_query = exists & (member < WIDE - 2)[:, None]
    tl.store(out, first, mask=is_query)
    tl.store(out + HALF, second, mask=is_query)
    place = (kv_head * context + position)[:, None] * (2 * HALF) + low[None, :]
    # The compiler takes no alignment from an address that was loaded, only from a sum with it.
    key_cache = tl.multiple_of(tl.load(key_caches + row).to(tl.pointer_type(tl.float16)) + layer_offset, 16)
    is_key = exists & (member == WIDE - 2)[:, None]
    tl.store(key_cache + place, first.to(tl.float16), mask=is_key)
    tl.store(key_cache + place + HALF, second.to(tl.float16), mask=is_key)
    value_cache = tl.multiple_of(tl.load(value_caches + row).to(tl.pointer_type(tl.float16)) + layer_offset, 16)
    is_value = exists & (member == WIDE - 1)[:, None]
    tl.store(value_cache + place, first.to(tl.float16), mask=is_value)
    tl.store(value_cache + place + HALF, second.to(tl.float16), mask=is_value)
