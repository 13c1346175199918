"""How stored weights become numbers in a kernel. A unit is what is read at once: 32 bits, or for 6 bits three bytes.

| form | unit | weights a unit |
|---|---|---|
| lut4, int4 | word | 8 |
| lut8, int8 | word | 4 |
| lut6 | 3 bytes | 4 |
| fp16, bf16 | word | 2 |

Whole numbers become float32 without a conversion, which cards do slowly: put into the last bits of 2^23, from which
2^23 and their offset are taken. Block-integer weights leave here without their scale.
"""

from __future__ import annotations

import triton
import triton.language as tl

WEIGHTS_A_UNIT = {"lut4": 8, "int4": 8, "lut8": 4, "int8": 4, "lut6": 4, "fp16": 2, "bf16": 2}


@triton.jit
def load_units(data, places, mask, FORM: tl.constexpr):
    """Units at `places` of `data`, uint32; where `mask` is not, 0."""
    if FORM == "lut6":
        low = tl.load(data + places * 3, mask=mask, other=0).to(tl.uint32)
        middle = tl.load(data + places * 3 + 1, mask=mask, other=0).to(tl.uint32)
        return low | middle << 8 | tl.load(data + places * 3 + 2, mask=mask, other=0).to(tl.uint32) << 16
    else:
        return tl.load(data + places, mask=mask, other=0)


@triton.jit
def weight_at(units, place: tl.constexpr, codebooks, FORM: tl.constexpr):
    """Weight `place` of each of `units`, float32; `codebooks` are the addresses of each unit's own entries."""
    if FORM == "lut4":
        return tl.load(codebooks + ((units >> 4 * place) & 15).to(tl.int32)).to(tl.float32)
    elif FORM == "lut6":
        return tl.load(codebooks + ((units >> 6 * place) & 63).to(tl.int32)).to(tl.float32)
    elif FORM == "lut8":
        return tl.load(codebooks + ((units >> 8 * place) & 255).to(tl.int32)).to(tl.float32)
    elif FORM == "int4":  # two's complement, its highest bit turned: 8 more
        whole = ((units >> 4 * place) & 15) ^ (8 | 0x4B000000)
        return whole.to(tl.float32, bitcast=True) - 8388616.0
    elif FORM == "int8":
        whole = ((units >> 8 * place) & 255) ^ (128 | 0x4B000000)
        return whole.to(tl.float32, bitcast=True) - 8388736.0
    elif FORM == "bf16":
        bits = units << 16 if place == 0 else units & 0xFFFF0000
        return bits.to(tl.float32, bitcast=True)
    else:
        return ((units >> 16 * place) & 0xFFFF).to(tl.uint16).to(tl.float16, bitcast=True).to(tl.float32)


@triton.jit
def rounded_to(numbers, KIND: tl.constexpr):
    """Float32 as `KIND`. Beyond float16's largest number it is that: infinity would make the next sums NaN."""
    if tl.float16 == KIND:
        numbers = tl.clamp(numbers, -65504.0, 65504.0, propagate_nan=tl.PropagateNan.ALL)
    return numbers.to(KIND)


@triton.jit
def place_of(column, columns, PLACES: tl.constexpr):
    """Where `column` of a row of `columns` lies in a Layout of so many places."""
    return column % PLACES * (columns // PLACES) + column // PLACES
