"""Stored forms as vectors of 16-bit whole numbers: what one span of 64 columns of a row becomes in registers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.kernels.code import B32, D8, F8, F32, I64, W16, Code, Value

SPAN = 64  # columns worked on together; a matrix has a multiple of it


class Job:
    """Fields of a job, 64 bits each; a unit is as many rows as a kernel works on at once."""

    NEXT, UNITS, PIECE, WEIGHTS, ROW_BYTES, AUX, AUX_BYTES, GROUP, SPANS, X, X_SCALES, OUT, OUT_BYTES = range(13)
    FIELDS = 13
    LARGEST = 16383  # of an activation as a whole number: 4 · 16383 · 32768 < 2^31


@dataclass(frozen=True)
class Numbers:
    """64 columns in a form's order, and the scale of the two lanes, four times each, where weights have one."""

    vectors: list[Value]
    scale: Value | None = None


class WholeForm:
    """One stored form. `order` says which column of a span stands where in the vectors."""

    order: tuple[int, ...]
    span_bytes = 32
    aux_a_row = False  # whether each row has its own record beside the weights, or a group shares one

    def open(self, record: Value) -> list[Value]:
        """What the rows need throughout, from their record."""
        raise NotImplementedError

    def numbers(self, code: Code, opened: list[list[Value]], weights: list[Value], span: Value) -> list[Numbers]:
        """A span of each of the rows at `weights`."""
        raise NotImplementedError

    def scale(self, opened: list[Value]) -> Value:
        """A row's own, of its numbers, beside those of its spans."""
        raise NotImplementedError


def interleave(low: Value, high: Value) -> list[Value]:
    """16-bit numbers from their low and high bytes, two vectors."""
    first = [place for lane in (0, 16) for k in range(8) for place in (lane + k, 32 + lane + k)]
    return [low.pick([place + shift for place in first], high).bits(W16) for shift in (0, 8)]


def _order(bytes_: Sequence[int]) -> list[int]:
    """Columns in the order in which `interleave` leaves 32 bytes."""
    return [bytes_[lane + k] for part in (0, 8) for lane in (0, 16) for k in range(part, part + 8)]


_NIBBLES = (*_order(range(0, 64, 2)), *_order(range(1, 64, 2)))
_BYTES = (*_order(range(32)), *_order(range(32, 64)))


def _nibbles(code: Code, weights: Value, span: Value) -> tuple[Value, Value]:
    """Low and high halves of a span's 32 bytes, as bytes below 16."""
    packed = code.load(weights, span * 32, W16)
    low = packed.bits(B32) & 15
    return low, (packed >> 4).bits(B32) & 15


class Lut4(WholeForm):
    """Sixteen entries a group: record of 16 low bytes, 16 high bytes, scale."""

    order = _NIBBLES

    def open(self, record: Value) -> list[Value]:
        low, high = (record.code.load(record, at, "<16 x i8>").pick([*range(16)] * 2) for at in (0, 16))
        return [low, high, record.code.load(record, 32, F32)]

    def numbers(self, code: Code, opened: list[list[Value]], weights: list[Value], span: Value) -> list[Numbers]:
        out = []
        for (low, high, _), row in zip(opened, weights, strict=True):
            vectors = []
            for index in _nibbles(code, row, span):
                vectors += interleave(code.cpu.look_up(low, index), code.cpu.look_up(high, index))
            out.append(Numbers(vectors))
        return out

    def scale(self, opened: list[Value]) -> Value:
        return opened[2]


class Lut6(WholeForm):
    """64 entries a group: record of all low bytes, all high bytes, scale."""

    order = _BYTES
    span_bytes = 48

    def open(self, record: Value) -> list[Value]:
        return [record, record.code.load(record, 128, F32)]

    def numbers(self, code: Code, opened: list[list[Value]], weights: list[Value], span: Value) -> list[Numbers]:
        vectors: list[list[Value]] = [[] for _ in weights]
        for half in (0, 1):
            indices = [self._indices(code, row, span, half) for row in weights]
            planes = []
            for plane in (0, 64):  # one after the other: a table of 64 takes four registers
                table = code.load(opened[0][0], plane, "<64 x i8>")
                planes.append([code.cpu.look_up(table, index) for index in indices])
            for vector, *bytes_ in zip(vectors, *planes, strict=True):
                vector += interleave(*bytes_)
        return [Numbers(vector) for vector in vectors]

    def _indices(self, code: Code, weights: Value, span: Value, half: int) -> Value:
        """32 indices as bytes: each three bytes, four indices, go to a 32-bit number whose parts move to its bytes."""
        triples = [3 * k + (j if j < 3 else 0) for k in range(4) for j in range(4)]
        source = span * 48 + 24 * half
        low = code.load(weights, source, "<12 x i8>").pick(triples)
        high = code.load(weights, source + 12, "<12 x i8>").pick(triples)
        words = low.pick(range(32), high).bits(D8)
        a, b, c, d = ((words << 2 * k) & (0x3F << 8 * k) for k in range(4))
        return (a | b | c | d).bits(B32)

    def scale(self, opened: list[Value]) -> Value:
        return opened[1]


class Lut8(WholeForm):
    """256 entries a group: record of the entries as 16-bit numbers, scale. They are fetched one by one."""

    order = tuple(range(SPAN))
    span_bytes = 64

    def open(self, record: Value) -> list[Value]:
        return [record, record.code.load(record, 512, F32)]

    def numbers(self, code: Code, opened: list[list[Value]], weights: list[Value], span: Value) -> list[Numbers]:
        out = []
        for (record, _), row in zip(opened, weights, strict=True):
            vectors = [code.constant(W16, 0)] * 4
            for eight in range(8):
                word = code.load(row, span * 64 + 8 * eight, I64)
                for k in range(8):
                    entry = code.load(record, ((word >> 8 * k) & 255) * 2, "i16")
                    vectors[eight // 2] = vectors[eight // 2].put(entry, eight % 2 * 8 + k)
            out.append(Numbers(vectors))
        return out

    def scale(self, opened: list[Value]) -> Value:
        return opened[1]


class Int4(WholeForm):
    """Two a byte, a float16 scale for 32 columns: a record is a row's scales."""

    order = _NIBBLES
    aux_a_row = True

    def open(self, record: Value) -> list[Value]:
        return [record]

    def numbers(self, code: Code, opened: list[list[Value]], weights: list[Value], span: Value) -> list[Numbers]:
        zero = code.constant(B32, 0)
        out = []
        for (record,), row in zip(opened, weights, strict=True):
            packed = code.load(row, span * 32, W16)
            # A nibble in the upper half of the upper byte is its value times 4096, sign and all.
            low = (packed << 4).bits(B32) & 0xF0
            vectors = interleave(zero, low) + interleave(zero, packed.bits(B32) & 0xF0)
            scales = code.load(record, span * 4, "<2 x half>").pick([0] * 4 + [1] * 4).cast("fpext", F8)
            out.append(Numbers(vectors, scales))
        return out

    def scale(self, opened: list[Value]) -> Value:
        return opened[0].code.constant(F32, 1.0 / 4096)


class Int8(WholeForm):
    """One a byte, a float32 scale a row."""

    span_bytes = 64

    order = _BYTES
    aux_a_row = True

    def open(self, record: Value) -> list[Value]:
        return [record.code.load(record, 0, F32)]

    def numbers(
        self,
        code: Code,
        opened: list[list[Value]],  # noqa: ARG002
        weights: list[Value],
        span: Value,
    ) -> list[Numbers]:
        zero = code.constant(B32, 0)
        out = []
        for row in weights:
            halves = [code.load(row, span * 64 + 32 * half, B32) for half in (0, 1)]
            out.append(Numbers(interleave(zero, halves[0]) + interleave(zero, halves[1])))
        return out

    def scale(self, opened: list[Value]) -> Value:
        return opened[0] * (1.0 / 256)


WHOLE_FORMS: dict[str, WholeForm] = {
    "lut4": Lut4(),
    "lut6": Lut6(),
    "lut8": Lut8(),
    "int4": Int4(),
    "int8": Int8(),
}
