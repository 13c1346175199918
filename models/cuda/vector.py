"""A packed matrix times one vector: what decoding is, bound by memory. O rows, I columns, U = I / weights a unit.

A program takes BLOCK_ROWS rows, all of one codebook where lookups are by `shfl`, and one of SPLITS parts of the
columns; the last of a row's programs to come adds up the parts. Sums are float32, nothing is rounded on the way.
"""

from __future__ import annotations

import triton
import triton.language as tl

from models.cuda.forms import load_units, place_of, weight_at
from models.cuda.lookup import addressed, shuffled
from models.cuda.sums import finish, last_to_come, sum_of_parts


@triton.jit
def vector_product(
    data,  # [O, U] units
    codebooks,  # [O / GROUP, entries] float32, for lookup forms
    scales,  # [O, I / SCALE_COLUMNS] 16-bit, for integers
    x,  # [PLACES, U] float32
    bias,
    added,
    out,  # [O] float32
    parts,  # [SPLITS, O] float32
    counters,  # [O / BLOCK_ROWS] int32, all 0
    rows,
    FORM: tl.constexpr,
    UNITS: tl.constexpr,
    PLACES: tl.constexpr,  # weights a unit
    ENTRIES: tl.constexpr,
    GROUP: tl.constexpr,
    SCALE_UNITS: tl.constexpr,  # units that share a scale
    PTX: tl.constexpr,  # the way of models/cuda/lookup.py: "shuffle", "address" or none
    HAS_BIAS: tl.constexpr,
    HAS_ADDED: tl.constexpr,
    GELU: tl.constexpr,
    OUT_PLACES: tl.constexpr,
    SPLITS: tl.constexpr,
    SPLIT_UNITS: tl.constexpr,  # a multiple of BLOCK_UNITS
    BLOCK_ROWS: tl.constexpr,
    BLOCK_UNITS: tl.constexpr,
):
    first_row = tl.program_id(0) * BLOCK_ROWS
    split = tl.program_id(1)
    row = first_row + tl.arange(0, BLOCK_ROWS)
    known = row < rows
    row_start = tl.where(known, row, 0).to(tl.int64) * UNITS
    column = tl.arange(0, BLOCK_UNITS)
    sums = tl.zeros([BLOCK_ROWS, BLOCK_UNITS], tl.float32)
    for begin in range(split * SPLIT_UNITS, (split + 1) * SPLIT_UNITS, BLOCK_UNITS):
        unit = begin + column
        inside = unit < UNITS
        mask = inside[None, :] & known[:, None]
        units = load_units(data, row_start[:, None] + unit[None, :], mask, FORM)
        vector = x + unit
        own = codebooks + tl.where(known, row, 0)[:, None] // GROUP * ENTRIES
        if PTX != "":
            if PTX == "shuffle":
                entries = shuffled(units, codebooks + first_row // GROUP * ENTRIES)
            else:
                entries = addressed(units, own)
            for place in tl.static_range(PLACES):
                sums += entries[place] * tl.load(vector + place * UNITS, mask=inside, other=0.0)[None, :]
        else:
            products = tl.zeros([BLOCK_ROWS, BLOCK_UNITS], tl.float32)
            for place in tl.static_range(PLACES):
                products += (
                    weight_at(units, place, own, FORM)
                    * tl.load(vector + place * UNITS, mask=inside, other=0.0)[None, :]
                )
            if SCALE_UNITS:
                per_row: tl.constexpr = UNITS // SCALE_UNITS
                place_of_scale = tl.where(known, row, 0)[:, None] * per_row + unit[None, :] // SCALE_UNITS
                products *= tl.load(scales + place_of_scale, mask=mask, other=0.0).to(tl.float32)
            sums += products
    total = tl.sum(sums, 1)
    target = place_of(row, rows, OUT_PLACES)
    if SPLITS == 1:
        finish(total, target, row, known, bias, added, out, HAS_BIAS, HAS_ADDED, GELU)
    else:
        tl.store(parts + split * rows + row, total, mask=known)
        if last_to_come(counters + tl.program_id(0), SPLITS):
            total = sum_of_parts(parts, row, known, rows, SPLITS)
            finish(total, target, row, known, bias, added, out, HAS_BIAS, HAS_ADDED, GELU)
