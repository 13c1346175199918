"""What PTX's instructions make of numbers, for all threads at once (PTX ISA 8.x, its section on each)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint64]
"""A register of all threads, its bits."""

Mask = npt.NDArray[np.bool_]

_FLOATS: dict[str, tuple[type[np.unsignedinteger], type[np.floating]]] = {
    "f32": (np.uint32, np.float32),
    "f16": (np.uint16, np.float16),
}


def width(kind: str) -> int:
    """Bits of a type, such as 32 of `u32`."""
    return 1 if kind == "pred" else int(kind.lstrip("bsufx"))


def floats(value: Bits, kind: str) -> npt.NDArray[Any]:
    """The bits as numbers of `kind`."""
    bits, number = _FLOATS[kind]
    return value.astype(bits).view(number)


def bits_of(value: npt.NDArray[Any], kind: str) -> Bits:
    """Numbers, rounded to `kind`, as bits."""
    bits, number = _FLOATS[kind]
    with np.errstate(over="ignore"):
        return value.astype(number).view(bits).astype(np.uint64)


def computed(name: str, kinds: Sequence[str], values: Sequence[Bits]) -> Bits | Mask:
    """What instruction `name` with these modifiers, its type last, makes of its sources."""
    kind = kinds[-1]
    if name == "cvt":
        return _converted(kinds[-2], kind, values, finite="satfinite" in kinds)
    if name == "selp":
        return np.where(values[2] != 0, values[0], values[1])
    if name == "setp":
        return _COMPARISONS[kinds[0]](*(_numbers(value, kind) for value in values))
    if name == "not" and kind == "pred":
        unset: Mask = values[0] == 0
        return unset
    with np.errstate(all="ignore"):
        if kind in _FLOATS:
            return bits_of(_OF_FLOATS[name](*(floats(value, kind) for value in values)), kind)
        if kind.startswith("s") and name in _OF_SIGNED:
            found = _OF_SIGNED[name](*(_signed(value, kind) for value in values)).view(np.uint64)
        elif name in ("shl", "shr"):
            found = _shifted(name, values[0], values[1], width(kind))
        else:
            found = _OF_WHOLE[name](*values)
    return _cut(found, 64 if "wide" in kinds else width(kind))


def permuted(low: Bits, high: Bits, selectors: Bits) -> Bits:
    """Byte by byte: a selector's low three bits name one of the eight bytes, its highest bit would ask for its sign."""
    eight = low | high << np.uint64(32)
    out = np.zeros(len(low), np.uint64)
    for place in range(4):
        selector = selectors >> np.uint64(4 * place) & np.uint64(15)
        assert (selector < 8).all(), "asks for a sign"
        out |= (eight >> (np.uint64(8) * selector) & np.uint64(255)) << np.uint64(8 * place)
    return out


def _cut(value: Bits, bits: int) -> Bits:
    return value if bits == 64 else value & np.uint64((1 << bits) - 1)


def _signed(value: Bits, kind: str) -> npt.NDArray[np.int64]:
    shift = 64 - width(kind)
    return (value << np.uint64(shift)).view(np.int64) >> np.int64(shift)


def _numbers(value: Bits, kind: str) -> npt.NDArray[Any]:
    if kind in _FLOATS:
        return floats(value, kind)
    return _signed(value, kind) if kind.startswith("s") else value


def _shifted(name: str, value: Bits, by: Bits, bits: int) -> Bits:
    near = np.minimum(by, np.uint64(63))
    return np.where(by < bits, value << near if name == "shl" else value >> near, np.uint64(0))


def _inserted(value: Bits, into: Bits, first: Bits, count: Bits) -> Bits:
    place: Bits = ((np.uint64(1) << count) - np.uint64(1)) << first
    out: Bits = into & ~place | value << first & place
    return out


def _quotient(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Toward zero. Threads that do not run may hold a 0 to divide by."""
    safe = np.where(b == 0, 1, b)
    toward_zero: npt.NDArray[np.int64] = np.sign(a) * np.sign(safe) * (np.abs(a) // np.abs(safe))
    return toward_zero


def _converted(to: str, source: str, values: Sequence[Bits], *, finite: bool) -> Bits:
    if to == "f16x2":  # the first operand is the upper half
        most = np.float32(65504 if finite else np.inf)
        upper, lower = (bits_of(np.clip(floats(value, source), -most, most), "f16") for value in values)
        return upper << np.uint64(16) | lower
    if to in _FLOATS:
        return bits_of(_numbers(values[0], source), to)
    return _cut(_numbers(values[0], source).view(np.uint64), width(to))


_COMPARISONS: dict[str, Callable[..., Mask]] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "ltu": lambda a, b: ~(a >= b),
}
_OF_FLOATS: dict[str, Callable[..., npt.NDArray[Any]]] = {
    "mov": lambda a: a,
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "rsqrt": lambda a: 1 / np.sqrt(a),
    "fma": lambda a, b, c: a.astype(np.float64) * b + c,
    "abs": np.abs,
    "neg": np.negative,
    "ex2": np.exp2,
    "copysign": lambda sign, value: np.copysign(value, sign),
}
_OF_SIGNED: dict[str, Callable[..., npt.NDArray[np.int64]]] = {
    "mul": np.multiply,
    "mad": lambda a, b, c: a * b + c,
    "div": _quotient,
    "rem": lambda a, b: a - _quotient(a, b) * b,
    "min": np.minimum,
    "max": np.maximum,
    "neg": np.negative,
    "shr": lambda a, by: a >> np.minimum(by, 63),
}
_OF_WHOLE: dict[str, Callable[..., Bits]] = {
    "mov": lambda a: a,
    "cvta": lambda a: a,
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "mad": lambda a, b, c: a * b + c,
    "div": lambda a, b: a // np.maximum(b, np.uint64(1)),
    "rem": lambda a, b: a % np.maximum(b, np.uint64(1)),
    "min": np.minimum,
    "max": np.maximum,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "not": np.invert,
    "prmt": permuted,
    "bfi": _inserted,
}
