"""Rows of a packed matrix, expanded: an embedding."""

from __future__ import annotations

import triton
import triton.language as tl

from models.cuda.forms import load_units, weight_at


@triton.jit
def picked_rows(
    data,  # [O, U] units
    codebooks,  # [O / GROUP, entries] 16-bit or float32, for lookup forms
    scales,  # [O, U / SCALE_UNITS] 16-bit, for integers
    ids,  # [R] int
    out,  # [R, I] float32
    FORM: tl.constexpr,
    UNITS: tl.constexpr,
    PLACES: tl.constexpr,
    ENTRIES: tl.constexpr,
    GROUP: tl.constexpr,
    SCALE_UNITS: tl.constexpr,
    BLOCK_UNITS: tl.constexpr,
):
    row = tl.load(ids + tl.program_id(0)).to(tl.int64)
    unit = tl.program_id(1) * BLOCK_UNITS + tl.arange(0, BLOCK_UNITS)
    inside = unit < UNITS
    units = load_units(data, row * UNITS + unit, inside, FORM)
    own = codebooks + row // GROUP * ENTRIES
    target = out + tl.program_id(0).to(tl.int64) * (UNITS * PLACES) + unit * PLACES
    for place in tl.static_range(PLACES):
        weight = weight_at(units, place, own, FORM)
        if SCALE_UNITS:
            scale = tl.load(scales + row * (UNITS // SCALE_UNITS) + unit // SCALE_UNITS, mask=inside, other=0.0)
            weight *= scale.to(tl.float32)
        tl.store(target + place, weight, mask=inside)
