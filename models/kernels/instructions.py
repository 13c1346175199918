"""Instructions of each kind of processor that kernels are written for: a vector of theirs is one register of AVX2 or
AVX-512, or two of NEON. Where in its lane a sum of products ends differs, and means nothing: a lane has one scale."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from models.kernels.code import Instructions, Value, Vectors, lanes

_PAIR = Vectors(2)


class Avx2:
    """x86 since 2013. With AVX-512, float32's product takes half the time."""

    needed: tuple[str, ...] = ("avx2", "fma", "f16c")
    vectors = _PAIR
    two_rows, largest_table = 4, 64

    def __init__(self, features: Mapping[str, bool]) -> None:
        self.in_passes, self.in_panels, self.piece = (64, False, 128) if features.get("avx512f") else (8, True, 64)

    def dot(self, pairs: Sequence[tuple[Value, Value]]) -> Value:
        return _added([a.code.call(_PAIR.sums, "llvm.x86.avx2.pmadd.wd", a, b) for a, b in pairs])

    def look_up(self, table: Value, index: Value) -> Value:
        if lanes(table.type) == 16:
            return _shuffled(table.pick([*range(16)] * 2), index)
        # Sixteen entries fit a shuffle; the index's upper bits, moved to a byte's top, choose between four.
        first, second, third, fourth = (
            _shuffled(table.pick([*range(at, at + 16)] * 2), index & 15) for at in range(0, 64, 16)
        )
        bit4, bit5 = ((index.bits(_PAIR.words) << shift).bits(_PAIR.bytes) for shift in (3, 2))
        return _blended(_blended(first, second, bit4), _blended(third, fourth, bit4), bit5)

    def nearest(self, numbers: Value) -> Value:
        return numbers.code.call(_PAIR.sums, "llvm.x86.avx.cvt.ps2dq.256", numbers)

    def scaled(self, numbers: Value, factor: Value) -> Value:
        """16-bit numbers times `factor` / 32768 as the nearest whole ones."""
        return numbers.code.call(_PAIR.words, "llvm.x86.avx2.pmul.hr.sw", numbers, factor)


def _added(sums: Sequence[Value]) -> Value:
    total = sums[0]
    for more in sums[1:]:
        total = total + more
    return total


def _shuffled(table: Value, index: Value) -> Value:
    return table.code.call(_PAIR.bytes, "llvm.x86.avx2.pshuf.b", table, index)


def _blended(left: Value, right: Value, mask: Value) -> Value:
    """Bytes of `right` where the mask's have their top bit set, else of `left`."""
    return left.code.call(_PAIR.bytes, "llvm.x86.avx2.pblendvb", left, right, mask)


class Avx512(Avx2):
    """x86 that picks bytes from a whole vector, or two: Intel's servers since 2021, AMD since 2022. Others with AVX-512
    would run it with more instructions and a lower clock."""

    needed = (*Avx2.needed, "avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512vbmi")
    vectors = Vectors(4)
    two_rows, largest_table = 8, 256

    def dot(self, pairs: Sequence[tuple[Value, Value]]) -> Value:
        return _added([a.code.call(self.vectors.sums, "llvm.x86.avx512.pmaddw.d.512", a, b) for a, b in pairs])

    def look_up(self, table: Value, index: Value) -> Value:
        code, type_, count = table.code, self.vectors.bytes, lanes(table.type)
        if count <= 64:
            whole = table.pick([*range(count)] * (64 // count))
            return code.call(type_, "llvm.x86.avx512.permvar.qi.512", whole, index)
        quarters = [table.pick(range(at, at + 64)) for at in range(0, count, 64)]
        low, high = (
            code.call(type_, "llvm.x86.avx512.vpermi2var.qi.512", first, index, second)
            for first, second in (quarters[:2], quarters[2:])
        )
        return code.choose(index, high, low)

    def scaled(self, numbers: Value, factor: Value) -> Value:
        return numbers.code.call(self.vectors.words, "llvm.x86.avx512.pmul.hr.sw.512", numbers, factor)


class Neon:
    """64-bit ARM: Apple Silicon, servers, small computers."""

    vectors = _PAIR
    two_rows, largest_table, in_panels, piece = 4, 64, False, 64
    in_passes = 32  # not measured: docs/decisions/013

    def dot(self, pairs: Sequence[tuple[Value, Value]]) -> Value:
        # Multiplied in 32 bits and added in one chain: LLVM makes that one SMLAL for four numbers.
        total: Value | None = None
        for a, b in pairs:
            for fours in ((0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15)):
                products = a.pick(fours).cast("sext", _PAIR.sums) * b.pick(fours).cast("sext", _PAIR.sums)
                total = products if total is None else total + products
        assert total is not None
        return total

    def look_up(self, table: Value, index: Value) -> Value:
        count = lanes(table.type) // 16
        parts = [table.pick(range(16 * k, 16 * k + 16)) for k in range(count)]
        name = f"llvm.aarch64.neon.tbl{count}.v16i8"
        halves = [table.code.call("<16 x i8>", name, *parts, index.pick(half)) for half in (range(16), range(16, 32))]
        return halves[0].pick(range(32), halves[1])

    def nearest(self, numbers: Value) -> Value:
        halves = [
            numbers.code.call("<4 x i32>", "llvm.aarch64.neon.fcvtns.v4i32.v4f32", numbers.pick(four))
            for four in (range(4), range(4, 8))
        ]
        return halves[0].pick(range(8), halves[1])


def instructions_of(triple: str, features: Mapping[str, bool]) -> Instructions | None:
    """Of a processor that LLVM calls `triple` and that has `features`; None where kernels know none."""
    if triple.startswith("x86_64"):
        kinds = (kind for kind in (Avx512, Avx2) if all(features.get(name) for name in kind.needed))
        return next((kind(features) for kind in kinds), None)
    return Neon() if re.match(r"(aarch64|arm64)-", triple) else None  # all of these have NEON
