"""Attention of a prompt's rows, all of one state: as models.cuda.attention, but split over the queries.

R rows, K key heads, G query heads that share a key, H = K·G, D head size, C positions of a cache.
"""

from __future__ import annotations

import math

import triton
import triton.language as tl
from torch import Tensor

from models.cuda.attention import KEYS, AttentionShape, attend_keys, laid_heads
from models.cuda.layout import Layout
from models.cuda.machine import FUSED
from models.cuda.rows import Rows

_FOLDED = 64  # queries a program


def attend_prompt(
    query: Tensor, rows: Rows, layer: int, shape: AttentionShape, bias: Tensor | None, layout: Layout
) -> Tensor:
    """`attend_rows` for many rows of one state, at positions that ascend."""
    count, group, dim = len(query), shape.group, shape.head_dim
    out = query.new_empty((count, shape.kv_heads * group * dim), dtype=layout.dtype)
    _attend_prompt[(triton.cdiv(count * group, _FOLDED), shape.kv_heads)](
        query,
        rows.positions,
        rows.keys,
        rows.values,
        query if bias is None else bias,
        out,
        count,
        layer * shape.kv_heads * shape.context * dim,
        shape.context,
        1 / math.sqrt(dim),
        KV_HEADS=shape.kv_heads,
        GROUP=group,
        QUERIES=_FOLDED,
        DIM=dim,
        KEYS=KEYS,
        PLACES=layout.places,
        BIASED=bias is not None,
        num_warps=8 if dim > 64 else 4,
        num_stages=2,
        **FUSED,
    )
    return out


@triton.jit
def _attend_prompt(
    queries,
    positions,
    key_caches,
    value_caches,
    bias,
    out,
    count,
    layer_offset,
    context,
    scale,
    KV_HEADS: tl.constexpr,
    GROUP: tl.constexpr,
    QUERIES: tl.constexpr,
    DIM: tl.constexpr,
    KEYS: tl.constexpr,
    PLACES: tl.constexpr,
    BIASED: tl.constexpr,
):
    kv_head = tl.program_id(1)
    folded = tl.program_id(0) * QUERIES + tl.arange(0, QUERIES)  # the group's heads of a row, then those of the next
    row, member = folded // GROUP, folded % GROUP
    exists = (row < count)[:, None]
    offset = tl.cast(layer_offset, tl.int64) + kv_head * context * DIM
    key_cache = tl.multiple_of(tl.load(key_caches).to(tl.pointer_type(tl.float16)) + offset, 16)
    value_cache = tl.multiple_of(tl.load(value_caches).to(tl.pointer_type(tl.float16)) + offset, 16)
    head = (row * KV_HEADS + kv_head) * GROUP + member
    numbers = tl.arange(0, DIM)[None, :]
    query = tl.load(queries + head[:, None] * DIM + numbers, mask=exists, other=0.0) * scale
    bias_rows = bias + (kv_head * GROUP + member)[:, None] * context
    last = tl.load(positions + row[:, None], mask=exists, other=-1).to(tl.int32)
    end = tl.max(last) + 1
    _, total, gathered = attend_keys(
        query, key_cache, value_cache, bias_rows, exists, last, 0, end, KEYS, QUERIES, DIM, KEYS, BIASED
    )
    gathered /= tl.where(total > 0, total, 1.0)[:, None]
    tl.store(out + laid_heads(head, numbers, KV_HEADS * GROUP, DIM, PLACES), gathered, mask=exists)
