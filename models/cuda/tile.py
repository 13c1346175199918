"""A packed matrix times several vectors, by tensor cores: guesses checked, sessions together, prompts.

R rows of x, O output features, I columns, U = I / weights a unit. A program takes BLOCK_X rows of x, BLOCK_OUT output
features and one of SPLITS parts of the columns. Weights are expanded to 16 bits between their reading and the tensor
cores, never in memory: they are the product's first factor, which Hopper's tensor cores take from registers. Sums are
float32.
"""

from __future__ import annotations

import triton
import triton.language as tl

from models.cuda.forms import load_units, weight_at
from models.cuda.lookup import permuted
from models.cuda.sums import finish, last_to_come, sum_of_parts


@triton.jit
def interleaved(a, b, c, d, e, f, g, h):
    """Eight arrays [N, M] as one [N, 8 M], their columns in turns."""
    pairs = tl.join(tl.join(tl.join(a, e), tl.join(c, g)), tl.join(tl.join(b, f), tl.join(d, h)))
    return tl.reshape(pairs, [a.shape[0], a.shape[1] * 8])


@triton.jit
def scaled(units, place: tl.constexpr, own, scale, FORM: tl.constexpr, SCALED: tl.constexpr, HALF: tl.constexpr):
    """Weight `place` of each unit in the 16-bit type of the product."""
    weight = weight_at(units, place, own, FORM)
    if SCALED:
        weight = weight * scale
    return weight.to(HALF)


@triton.jit
def expanded(units, own, scale, FORM: tl.constexpr, PLACES: tl.constexpr, SCALED: tl.constexpr, HALF: tl.constexpr):
    """All weights of `units` [N, M]: [N, M · PLACES]."""
    a = scaled(units, 0, own, scale, FORM, SCALED, HALF)
    b = scaled(units, 1, own, scale, FORM, SCALED, HALF)
    if PLACES == 2:
        weights = tl.reshape(tl.join(a, b), [units.shape[0], units.shape[1] * 2])
    else:
        c = scaled(units, 2, own, scale, FORM, SCALED, HALF)
        d = scaled(units, 3, own, scale, FORM, SCALED, HALF)
        if PLACES == 4:
            weights = tl.reshape(tl.join(tl.join(a, c), tl.join(b, d)), [units.shape[0], units.shape[1] * 4])
        else:
            e = scaled(units, 4, own, scale, FORM, SCALED, HALF)
            f = scaled(units, 5, own, scale, FORM, SCALED, HALF)
            g = scaled(units, 6, own, scale, FORM, SCALED, HALF)
            h = scaled(units, 7, own, scale, FORM, SCALED, HALF)
            weights = interleaved(a, b, c, d, e, f, g, h)
    return weights


@triton.jit
def tile_product(
    data,  # [O, U] units
    codebooks,  # [O / GROUP, entries] float32, or with PERMUTE [O / GROUP, 8] words of bytes
    scales,  # [O, U / SCALE_UNITS] 16-bit, for integers
    x,  # [R, I] float16, or bfloat16 for bf16
    bias,
    added,
    out,  # [R, O] float32 or 16-bit
    parts,  # [SPLITS, R, O] float32
    counters,  # [programs of one split] int32, all 0
    x_rows,
    rows,
    FORM: tl.constexpr,
    UNITS: tl.constexpr,
    PLACES: tl.constexpr,  # weights a unit
    ENTRIES: tl.constexpr,
    GROUP: tl.constexpr,
    SCALE_UNITS: tl.constexpr,  # units that share a scale
    PERMUTE: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    HAS_ADDED: tl.constexpr,
    GELU: tl.constexpr,
    SPLITS: tl.constexpr,
    SPLIT_UNITS: tl.constexpr,  # a multiple of BLOCK_UNITS
    BLOCK_X: tl.constexpr,
    BLOCK_OUT: tl.constexpr,
    BLOCK_UNITS: tl.constexpr,
):
    split = tl.program_id(2)
    row = tl.program_id(0) * BLOCK_OUT + tl.arange(0, BLOCK_OUT)
    x_row = tl.program_id(1) * BLOCK_X + tl.arange(0, BLOCK_X)
    safe_row = tl.minimum(row, rows - 1)
    safe_x_row = tl.minimum(x_row, x_rows - 1)
    half: tl.constexpr = tl.bfloat16 if FORM == "bf16" else tl.float16
    unit = split * SPLIT_UNITS + tl.arange(0, BLOCK_UNITS)
    column = split * SPLIT_UNITS * PLACES + tl.arange(0, BLOCK_UNITS * PLACES)
    places = safe_row.to(tl.int64)[:, None] * UNITS + unit[None, :]
    vectors = x + safe_x_row.to(tl.int64)[None, :] * (UNITS * PLACES) + column[:, None]
    own = codebooks + safe_row[:, None] // GROUP * ENTRIES
    if PERMUTE:
        b0, b1, b2, b3 = tl.load(own), tl.load(own + 1), tl.load(own + 2), tl.load(own + 3)
        b4, b5, b6, b7 = tl.load(own + 4), tl.load(own + 5), tl.load(own + 6), tl.load(own + 7)
    sums = tl.zeros([BLOCK_OUT, BLOCK_X], tl.float32)
    for step in range(SPLIT_UNITS // BLOCK_UNITS):
        left = UNITS - step * BLOCK_UNITS
        inside = (unit < left)[None, :]
        units = load_units(data, places + step * BLOCK_UNITS, inside, FORM)
        if PERMUTE:
            a, b, c, d, e, f, g, h = permuted(units, b0, b1, b2, b3, b4, b5, b6, b7)
            weights = interleaved(a, b, c, d, e, f, g, h)
        else:
            scale = 1.0
            if SCALE_UNITS:
                per_row: tl.constexpr = UNITS // SCALE_UNITS
                place_of_scale = safe_row[:, None] * per_row + (unit + step * BLOCK_UNITS)[None, :] // SCALE_UNITS
                scale = tl.load(scales + place_of_scale, mask=inside, other=0.0).to(tl.float32)
            weights = expanded(units, own, scale, FORM, PLACES, SCALE_UNITS > 0, half)
        vector = tl.load(vectors + step * (BLOCK_UNITS * PLACES), mask=(column < left * PLACES)[:, None], other=0.0)
        sums = tl.dot(weights, vector, sums)
    known = (row < rows)[:, None] & (x_row < x_rows)[None, :]
    target = x_row.to(tl.int64)[None, :] * rows + row[:, None]
    columns = tl.broadcast_to(row[:, None], [BLOCK_OUT, BLOCK_X])
    if SPLITS == 1:
        finish(sums, target, columns, known, bias, added, out, HAS_BIAS, HAS_ADDED, GELU)
    else:
        stride = x_rows.to(tl.int64) * rows
        tl.store(parts + split * stride + target, sums, mask=known)
        if last_to_come(counters + tl.program_id(1) * tl.num_programs(0) + tl.program_id(0), SPLITS):
            sums = sum_of_parts(parts, target, known, stride, SPLITS)
            finish(sums, target, columns, known, bias, added, out, HAS_BIAS, HAS_ADDED, GELU)
