"""Instructions of each kind of processor that kernels are written for: a vector of theirs is one register of AVX2, or
two of NEON. Which lane of its half a sum of products ends in differs, and means nothing: a half has one scale."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from models.kernels.code import B32, D8, W16, Instructions, Value, lanes


class Avx2:
    """x86 since 2013. With AVX-512, float32's product takes half the time, and kernels the same."""

    needed = ("avx2", "fma", "f16c")

    def __init__(self, features: Mapping[str, bool]) -> None:
        self.in_passes, self.piece = (64, 128) if features.get("avx512f") else (96, 64)

    def dot(self, pairs: Sequence[tuple[Value, Value]]) -> Value:
        first, *rest = (a.code.call(D8, "llvm.x86.avx2.pmadd.wd", a, b) for a, b in pairs)
        for more in rest:
            first = first + more
        return first

    def look_up(self, table: Value, index: Value) -> Value:
        if lanes(table.type) == 32:
            return _shuffled(table, index)
        # Sixteen entries fit a shuffle; the index's upper bits, moved to a byte's top, choose between four.
        first, second, third, fourth = (
            _shuffled(table.pick([*range(at, at + 16)] * 2), index & 15) for at in range(0, 64, 16)
        )
        bit4, bit5 = ((index.bits(W16) << shift).bits(B32) for shift in (3, 2))
        return _blended(_blended(first, second, bit4), _blended(third, fourth, bit4), bit5)

    def nearest(self, numbers: Value) -> Value:
        return numbers.code.call(D8, "llvm.x86.avx.cvt.ps2dq.256", numbers)


def _shuffled(table: Value, index: Value) -> Value:
    return table.code.call(B32, "llvm.x86.avx2.pshuf.b", table, index)


def _blended(left: Value, right: Value, mask: Value) -> Value:
    """Bytes of `right` where the mask's have their top bit set, else of `left`."""
    return left.code.call(B32, "llvm.x86.avx2.pblendvb", left, right, mask)


class Neon:
    """64-bit ARM: Apple Silicon, servers, small computers."""

    in_passes, piece = 32, 64  # not measured: docs/decisions/013

    def dot(self, pairs: Sequence[tuple[Value, Value]]) -> Value:
        # Multiplied in 32 bits and added in one chain: LLVM makes that one SMLAL for four numbers.
        total: Value | None = None
        for a, b in pairs:
            for fours in ((0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15)):
                products = a.pick(fours).cast("sext", D8) * b.pick(fours).cast("sext", D8)
                total = products if total is None else total + products
        assert total is not None
        return total

    def look_up(self, table: Value, index: Value) -> Value:
        count = 1 if lanes(table.type) == 32 else 4
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
        return Avx2(features) if all(features.get(name) for name in Avx2.needed) else None
    return Neon() if re.match(r"(aarch64|arm64)-", triple) else None  # all of these have NEON
