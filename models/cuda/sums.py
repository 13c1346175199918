"""The end of a product: sums of parts in a fixed order, bias, GELU, and what is added."""

from __future__ import annotations

import triton
import triton.language as tl

from models.cuda.forms import rounded_to


@triton.jit
def finish(
    sums, places, columns, mask, bias, added, out, HAS_BIAS: tl.constexpr, HAS_ADDED: tl.constexpr, GELU: tl.constexpr
):
    """Write gelu(`sums` + bias) + added to `places` of `out`, in its type; `columns` are the places of bias."""
    if HAS_BIAS:
        sums += tl.load(bias + columns, mask=mask, other=0.0)
    if GELU:  # the exact one, by the error function
        sums = 0.5 * sums * (1.0 + tl.erf(sums * 0.7071067811865476))
    if HAS_ADDED:
        sums += tl.load(added + places, mask=mask, other=0.0)
    tl.store(out + places, rounded_to(sums, out.dtype.element_ty), mask=mask)


@triton.jit
def last_to_come(counter, programs):
    """Whether all others of the `programs` that share `counter` have stored their part; it begins and ends at 0.

    The barrier lets all threads of this program store before one of them counts; acquire and release order the stores
    of the others before what is read next (through L2: a multiprocessor's own cache may be stale).
    """
    tl.debug_barrier()
    before = tl.atomic_add(counter, 1, sem="acq_rel")
    last = before == programs - 1
    if last:
        tl.store(counter, 0)
    return last


@triton.jit
def sum_of_parts(parts, places, mask, stride, SPLITS: tl.constexpr):
    """The sum at `places` of `SPLITS` arrays, `stride` apart, one after the other: the same bits each time."""
    sums = tl.load(parts + places, mask=mask, other=0.0, cache_modifier=".cg")
    for split in range(1, SPLITS):
        sums += tl.load(parts + split * stride + places, mask=mask, other=0.0, cache_modifier=".cg")
    return sums
