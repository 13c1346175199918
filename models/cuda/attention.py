"""Attention of rows to the caches of their states: each query reads the keys of its group once, never a copy of them.

R rows, K key heads, G query heads that share a key, H = K·G, D head size, C positions of a cache, S splits.

A decoding step has few rows and long caches, so the sequence is split over programs and their sums are combined
(Dao et al. 2023, "Flash-Decoding"). Split s takes the blocks s, s + S, s + 2 S, ... of a row's positions: all splits
work at any length, and what is launched does not depend on it, so that a recorded launch can be repeated. A prompt has
many rows, so its queries are split instead (models.cuda.prompt). Sums are in float32 and in one order: the same rows
give the same bits.

Keys and values are the caches' float16 numbers; a query or a probability, in float32, goes into a product of float16
as the sum of two numbers, rounded and rest, which keeps 22 bits of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from models.cuda.early import launched, let_next_begin, wait_for_before
from models.cuda.forms import place_of, rounded_to
from models.cuda.layout import Layout
from models.cuda.rows import Rows
from models.cuda.sums import last_to_come

KEYS = 64
"""Positions a block."""

_LEAST = 16  # rows of a matrix product, at least
_MOST_SPLITS = 64  # the sums of so many are combined by one program
_COMBINED = 2048  # sums that a program combines
_COUNTERS = 1 << 12  # for 64 rows, of up to 64 groups or parts of groups


@dataclass(frozen=True)
class AttentionShape:
    """Sizes that all layers share. Raises ValueError for a head size that the kernels lack."""

    kv_heads: int
    group: int
    head_dim: int
    context: int

    def __post_init__(self) -> None:
        if self.head_dim not in (16, 32, 64, 128):
            raise ValueError(f"heads of {self.head_dim} numbers; the kernels take 16, 32, 64 or 128")


def split_count(shape: AttentionShape, rows: int, processors: int, *, combined: bool = False) -> int:
    """Programs over which a row's sequence is split: two for each of the card's `processors`, within bounds.

    `combined` as for `attend_rows`.
    """
    most: int = min(triton.cdiv(shape.context, KEYS), _MOST_SPLITS)
    wanted: int = triton.cdiv(2 * processors, rows * shape.kv_heads * _pieces(shape, combined=combined)[1])
    return max(1, min(most, wanted))


def attention_counters(device: torch.device) -> Tensor:
    """What `attend_rows` counts with where it combines, zeros that it leaves as zeros; of one stream at a time."""
    return torch.zeros(_COUNTERS, dtype=torch.int32, device=device)


def _pieces(shape: AttentionShape, *, combined: bool) -> tuple[int, int]:
    """Heads of a group that a program takes, and programs that share a group.

    Where the last of them combines, so few that this is not one program's work.
    """
    padded = _LEAST if combined else max(_LEAST, triton.next_power_of_2(shape.group))
    return padded, triton.cdiv(shape.group, padded)


def attend_rows(
    query: Tensor,
    rows: Rows,
    layer: int,
    shape: AttentionShape,
    bias: Tensor | None,
    splits: int,
    layout: Layout,
    *,
    counters: Tensor | None = None,
    early: bool = False,
) -> Tensor:
    """What each row's queries, float32 [R, H, D], gather from positions 0 to its own: [R, H·D], laid as `layout`.

    `rotate_and_store` has stored the rows' own keys; a row at position -1 gives zeros. `bias`,
    float32 [K, G, C], is added to the scaled scores. With `counters` the last program of a row's heads to come combines
    what all have gathered; without, another launch does.
    """
    count, group, dim = len(query), shape.group, shape.head_dim
    heads = shape.kv_heads * group
    out = query.new_empty((count, heads * dim), dtype=layout.dtype)
    sums, parts = query, query
    if splits > 1:
        sums, parts = (query.new_empty((count, heads, splits, size)) for size in (2, dim))
    padded, pieces = _pieces(shape, combined=counters is not None)
    combines = counters is not None and splits > 1
    assert counters is None or count * shape.kv_heads * pieces <= len(counters)
    _attend_split[(count, shape.kv_heads * pieces, splits)](
        query,
        rows.positions,
        rows.keys,
        rows.values,
        query if bias is None else bias,
        out,
        sums,
        parts,
        rows.positions if counters is None else counters,
        layer * shape.kv_heads * shape.context * dim,
        shape.context,
        1 / math.sqrt(dim),
        KV_HEADS=shape.kv_heads,
        GROUP=group,
        PIECES=pieces,
        COMBINES=combines,
        QUERIES=padded,
        DIM=dim,
        KEYS=KEYS,
        SPLITS=splits,
        PLACES=layout.places,
        BIASED=bias is not None,
        num_warps=8 if padded * dim > 4096 else 4,
        num_stages=2,
        **launched(early),
    )
    if splits > 1 and not combines:
        padded = triton.next_power_of_2(splits)
        together = max(1, min(16, _COMBINED // (padded * dim)))
        _combine[(count, triton.cdiv(heads, together))](
            rows.positions,
            sums,
            parts,
            out,
            ALL=heads,
            HEADS=together,
            DIM=dim,
            KEYS=KEYS,
            SPLITS=splits,
            PADDED=padded,
            PLACES=layout.places,
            num_warps=4,
            **launched(early),
        )
    return out


@triton.jit
def laid_heads(head, numbers, HEADS: tl.constexpr, DIM: tl.constexpr, PLACES: tl.constexpr):
    """Where `numbers` [1, DIM] of each of `head` [N], counted over all rows, lie in the output."""
    row, member = head // HEADS, head % HEADS
    return row[:, None] * (HEADS * DIM) + place_of(member[:, None] * DIM + numbers, HEADS * DIM, PLACES)


@triton.jit
def _attend_block(
    query,
    rest,
    key_cache,
    value_cache,
    bias_rows,
    exists,
    last,
    end,
    first_key,
    most,
    total,
    gathered,
    DIM: tl.constexpr,
    KEYS: tl.constexpr,
    BIASED: tl.constexpr,
):
    """Go on with the online softmax over the block of keys at `first_key`, of which `end` are stored.

    `last` [QUERIES, 1] are the positions that the queries see last.
    """
    places = first_key + tl.arange(0, KEYS)
    held = (places < end)[:, None]
    tile = places[:, None] * DIM + tl.arange(0, DIM)[None, :]
    keys = tl.trans(tl.load(key_cache + tile, mask=held, other=0.0))
    scores = tl.dot(rest, keys, tl.dot(query, keys))
    if BIASED:
        scores += tl.load(bias_rows + places[None, :], mask=exists & (places[None, :] <= last), other=0.0)
    scores = tl.where(places[None, :] <= last, scores, -float("inf"))
    new_most = tl.maximum(most, tl.max(scores, 1))
    # A query that sees nothing yet has no largest score, and -inf less -inf would be no number.
    shift = tl.where(new_most == -float("inf"), 0.0, new_most)
    shares = tl.exp(scores - shift[:, None])
    fade = tl.exp(most - shift)
    values = tl.load(value_cache + tile, mask=held, other=0.0)
    rounded = shares.to(tl.float16)
    gathered = tl.dot(rounded, values, gathered * fade[:, None])
    gathered = tl.dot((shares - rounded.to(tl.float32)).to(tl.float16), values, gathered)
    return new_most, total * fade + tl.sum(shares, 1), gathered


@triton.jit
def attend_keys(
    query,
    key_cache,
    value_cache,
    bias_rows,
    exists,
    last,
    first,
    end,
    step,
    QUERIES: tl.constexpr,
    DIM: tl.constexpr,
    KEYS: tl.constexpr,
    BIASED: tl.constexpr,
):
    """Largest score, sum of shares and what is gathered of the blocks of keys at `first`, `first` + `step`, ... .

    `query` [QUERIES, DIM] is scaled; `end` keys are stored; `last` [QUERIES, 1] is the position that each sees last.
    """
    rounded = rounded_to(query, tl.float16)
    rest = rounded_to(query - rounded.to(tl.float32), tl.float16)
    most = tl.full((QUERIES,), -float("inf"), tl.float32)
    total = tl.full((QUERIES,), 0.0, tl.float32)
    gathered = tl.full((QUERIES, DIM), 0.0, tl.float32)
    for first_key in range(first, end, step):
        most, total, gathered = _attend_block(
            rounded,
            rest,
            key_cache,
            value_cache,
            bias_rows,
            exists,
            last,
            end,
            first_key,
            most,
            total,
            gathered,
            DIM,
            KEYS,
            BIASED,
        )
    return most, total, gathered


@triton.jit
def _attend_split(
    queries,
    positions,
    key_caches,
    value_caches,
    bias,
    out,
    sums,
    parts,
    counters,
    layer_offset,
    context,
    scale,
    KV_HEADS: tl.constexpr,
    GROUP: tl.constexpr,
    PIECES: tl.constexpr,
    COMBINES: tl.constexpr,
    QUERIES: tl.constexpr,
    DIM: tl.constexpr,
    KEYS: tl.constexpr,
    SPLITS: tl.constexpr,
    PLACES: tl.constexpr,
    BIASED: tl.constexpr,
    EARLY: tl.constexpr,
):
    let_next_begin(EARLY)
    row = tl.program_id(0)
    kv_head = tl.program_id(1) // PIECES
    split = tl.program_id(2)
    position = tl.load(positions + row).to(tl.int32)
    key_address = tl.load(key_caches + row)
    value_address = tl.load(value_caches + row)
    wait_for_before(EARLY)
    member = tl.program_id(1) % PIECES * QUERIES + tl.arange(0, QUERIES)
    exists = (member < GROUP)[:, None]
    head = (row * KV_HEADS + kv_head) * GROUP + member
    numbers = tl.arange(0, DIM)[None, :]
    target = laid_heads(head, numbers, KV_HEADS * GROUP, DIM, PLACES)
    if split * KEYS > position:  # a row of padding, or too short for this split
        if SPLITS == 1 or COMBINES:  # noqa: SIM102 - this is known when it is compiled, that is not
            if split == 0:
                tl.store(out + target, tl.full((QUERIES, DIM), 0.0, tl.float32), mask=exists)
        return
    offset = tl.cast(layer_offset, tl.int64) + kv_head * context * DIM
    # The compiler takes no alignment from an address that was loaded, only from a sum with it.
    key_cache = tl.multiple_of(key_address.to(tl.pointer_type(tl.float16)) + offset, 16)
    value_cache = tl.multiple_of(value_address.to(tl.pointer_type(tl.float16)) + offset, 16)
    query = tl.load(queries + head[:, None] * DIM + numbers, mask=exists, other=0.0) * scale
    bias_rows = bias + (kv_head * GROUP + member)[:, None] * context
    last = tl.full((QUERIES, 1), 0, tl.int32) + position
    first, end = split * KEYS, position + 1
    most, total, gathered = attend_keys(
        query,
        key_cache,
        value_cache,
        bias_rows,
        exists,
        last,
        first,
        end,
        SPLITS * KEYS,
        QUERIES,
        DIM,
        KEYS,
        BIASED,
    )
    if SPLITS == 1:
        tl.store(out + target, gathered / total[:, None], mask=exists)
    else:
        place = head * SPLITS + split
        tl.store(sums + place * 2, most, mask=member < GROUP)
        tl.store(sums + place * 2 + 1, total, mask=member < GROUP)
        tl.store(parts + place[:, None] * DIM + numbers, gathered, mask=exists)
        if COMBINES:
            worked = tl.minimum(position // KEYS + 1, SPLITS)
            if last_to_come(counters + row * tl.num_programs(1) + tl.program_id(1), worked):
                combined = _combined(sums, parts, head, member < GROUP, worked, QUERIES, DIM, SPLITS)
                tl.store(out + target, combined, mask=exists)


@triton.jit
def _combined(sums, parts, head, exists, worked, QUERIES: tl.constexpr, DIM: tl.constexpr, SPLITS: tl.constexpr):
    """What the first `worked` splits have gathered for `head` [QUERIES], one after the other; [QUERIES, DIM].

    Of L2, as others have stored it. All that is loaded can be on its way at once: no load waits for a sum.
    """
    first = head * SPLITS
    limit = tl.where(exists, worked, 0)
    most = tl.full((QUERIES,), -1e30, tl.float32)  # of heads that are none, whose sums are -inf
    for split in tl.static_range(SPLITS):
        there = limit > split
        place = sums + (first + split) * 2
        most = tl.maximum(most, tl.load(place, mask=there, other=-float("inf"), cache_modifier=".cg"))
    total = tl.zeros((QUERIES,), tl.float32)
    gathered = tl.zeros((QUERIES, DIM), tl.float32)
    for split in tl.static_range(SPLITS):
        there = limit > split
        place = sums + (first + split) * 2
        weight = tl.exp(tl.load(place, mask=there, other=-float("inf"), cache_modifier=".cg") - most)
        total += weight * tl.load(place + 1, mask=there, other=0.0, cache_modifier=".cg")
        part = parts + (first + split)[:, None] * DIM + tl.arange(0, DIM)[None, :]
        gathered += weight[:, None] * tl.load(part, mask=there[:, None], other=0.0, cache_modifier=".cg")
    return gathered / tl.where(exists, total, 1.0)[:, None]


@triton.jit
def _combine(
    positions,
    sums,
    parts,
    out,
    ALL: tl.constexpr,
    HEADS: tl.constexpr,
    DIM: tl.constexpr,
    KEYS: tl.constexpr,
    SPLITS: tl.constexpr,
    PADDED: tl.constexpr,
    PLACES: tl.constexpr,
    EARLY: tl.constexpr,
):
    let_next_begin(EARLY)
    row = tl.program_id(0)
    position = tl.load(positions + row)
    wait_for_before(EARLY)
    member = tl.program_id(1) * HEADS + tl.arange(0, HEADS)
    head = row * ALL + member
    split = tl.arange(0, PADDED)[None, :]
    worked = (member < ALL)[:, None] & (split < SPLITS) & (split * KEYS <= position)
    place = head[:, None] * SPLITS + split
    most = tl.load(sums + place * 2, mask=worked, other=-float("inf"))
    weight = tl.exp(most - tl.maximum(tl.max(most, 1), -1e30)[:, None])  # of padding, all are -inf
    total = tl.sum(weight * tl.load(sums + place * 2 + 1, mask=worked, other=0.0), 1)
    numbers = tl.arange(0, DIM)
    part = tl.load(parts + place[:, :, None] * DIM + numbers[None, None, :], mask=worked[:, :, None], other=0.0)
    gathered = tl.sum(weight[:, :, None] * part, 1) / tl.where(total > 0, total, 1.0)[:, None]
    target = laid_heads(head, numbers[None, :], ALL, DIM, PLACES)
    tl.store(out + target, gathered, mask=(member < ALL)[:, None])
