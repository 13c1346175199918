"""Stored forms as vectors of 16-bit whole numbers: what one span of 64 columns of a row becomes in registers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from models.kernels.code import F32, I64, Code, Value, lanes

SPAN = 64  # columns worked on together; a matrix has a multiple of it
BLOCK = 8  # spans whose products with a panel are added up as whole numbers
LARGEST_WORD = 32767.0  # of 16 bits

Count = TypeVar("Count", int, Value)


class Job:
    """Fields of a job, 64 bits each; a unit is as many rows as a kernel works on at once."""

    NEXT, UNITS, PIECE, WEIGHTS, ROW_BYTES, AUX, AUX_BYTES, GROUP, SPANS, X, X_SCALES, OUT, OUT_BYTES = range(13)
    TOKENS, LONGEST, ROOM, ROOMS_TAKEN = range(13, 17)
    FIELDS = 17
    LARGEST = 16383  # of an activation as a whole number: 4 · 16383 · 32768 < 2^31


@dataclass(frozen=True)
class Numbers:
    """64 columns in a form's order, and the scales of even and odd lanes, four times each, where weights have them."""

    vectors: list[Value]
    scale: Value | None = None


class WholeForm:
    """One stored form."""

    bytes_first: tuple[int, ...] = tuple(range(SPAN))  # columns as they stand before bytes become 16-bit numbers
    span_bytes = 32
    aux_a_row = False  # whether each row has its own record beside the weights, or a group shares one

    def order(self, lanes: int) -> tuple[int, ...]:
        """Which column of a span stands where in vectors of so many lanes, after `interleave`."""
        wide, first = 16 * lanes, self.bytes_first
        vectors = [first[at : at + wide] for at in range(0, SPAN, wide)]
        return tuple(
            vector[16 * lane + k]
            for vector in vectors
            for half in (0, 8)
            for lane in range(lanes)
            for k in range(half, half + 8)
        )

    def open(self, record: Value) -> list[Value]:
        """What the rows need throughout, from their record."""
        raise NotImplementedError

    def numbers(self, code: Code, opened: list[list[Value]], weights: list[Value], span: Value) -> list[Numbers]:
        """A span of each of the rows at `weights`."""
        raise NotImplementedError

    def scale(self, opened: list[Value]) -> Value:
        """A row's own, of its numbers, beside those of its spans."""
        raise NotImplementedError

    def largest_scale(self, opened: list[Value], first: Value, count: Value) -> Value | None:  # noqa: ARG002
        """Of those of a row's spans from `first` on; None where spans have none."""
        return None


def interleave(low: Value, high: Value) -> list[Value]:
    """16-bit numbers from their low and high bytes, two vectors."""
    wide = lanes(low.type)
    first = [place for lane in range(0, wide, 16) for k in range(8) for place in (lane + k, wide + lane + k)]
    return [low.pick([place + shift for place in first], high).bits(f"<{wide // 2} x i16>") for shift in (0, 8)]


_NIBBLES = (*range(0, SPAN, 2), *range(1, SPAN, 2))


def _nibbles(code: Code, weights: Value, span: Value, *, upper: bool) -> list[Value]:
    """The low halves of a span's 32 bytes, then the high ones, each in the upper or lower half of a byte of its own."""
    vectors = code.cpu.vectors
    packed = code.load(weights, span * 32, "<16 x i16>")
    shifts = (4, 0) if upper else (0, 4)
    if vectors.lanes == 4:
        both = packed.pick([*range(16)] * 2)
        by = code.constants("i16", [shifts[0]] * 16 + [shifts[1]] * 16)
        parts = [both << by if upper else both >> by]
    else:
        parts = [(packed << by if upper else packed >> by) if by else packed for by in shifts]
    return [part.bits(vectors.bytes) & (0xF0 if upper else 0x0F) for part in parts]


class Lut4(WholeForm):
    """Sixteen entries a group: record of 16 low bytes, 16 high bytes, scale."""

    bytes_first = _NIBBLES

    def open(self, record: Value) -> list[Value]:
        low, high = (record.code.load(record, at, "<16 x i8>") for at in (0, 16))
        return [low, high, record.code.load(record, 32, F32)]

    def numbers(self, code: Code, opened: list[list[Value]], weights: list[Value], span: Value) -> list[Numbers]:
        out = []
        for (low, high, _), row in zip(opened, weights, strict=True):
            vectors = []
            for index in _nibbles(code, row, span, upper=False):
                vectors += interleave(code.cpu.look_up(low, index), code.cpu.look_up(high, index))
            out.append(Numbers(vectors))
        return out

    def scale(self, opened: list[Value]) -> Value:
        return opened[2]


class Lut6(WholeForm):
    """64 entries a group: record of all low bytes, all high bytes, scale."""

    span_bytes = 48

    def open(self, record: Value) -> list[Value]:
        return [record, record.code.load(record, 128, F32)]

    def numbers(self, code: Code, opened: list[list[Value]], weights: list[Value], span: Value) -> list[Numbers]:
        vectors: list[list[Value]] = [[] for _ in weights]
        wide = lanes(code.cpu.vectors.bytes)
        for first in range(0, SPAN, wide):
            indices = [self._indices(code, row, span * 48 + first * 3 // 4) for row in weights]
            planes = []
            for plane in (0, 64):  # one after the other: a table of 64 may take four registers
                table = code.load(opened[0][0], plane, "<64 x i8>")
                planes.append([code.cpu.look_up(table, index) for index in indices])
            for vector, *bytes_ in zip(vectors, *planes, strict=True):
                vector += interleave(*bytes_)
        return [Numbers(vector) for vector in vectors]

    def _indices(self, code: Code, weights: Value, source: Value) -> Value:
        """A vector of indices as bytes: each three bytes, four indices, go to a 32-bit number whose parts move to its
        bytes."""
        vectors = code.cpu.vectors
        if vectors.lanes == 4:
            triples = _triples(16)
            words = code.load(weights, source, "<48 x i8>").pick(triples).bits(vectors.sums)
        else:
            triples = _triples(4)
            low, high = (code.load(weights, source + at, "<12 x i8>").pick(triples) for at in (0, 12))
            words = low.pick(range(32), high).bits(vectors.sums)
        a, b, c, d = ((words << 2 * k) & (0x3F << 8 * k) for k in range(4))
        return (a | b | c | d).bits(vectors.bytes)

    def scale(self, opened: list[Value]) -> Value:
        return opened[1]


def _triples(count: int) -> list[int]:
    """Places of `count` times three bytes, a fourth behind each."""
    return [3 * k + (j if j < 3 else 0) for k in range(count) for j in range(4)]


class Lut8(WholeForm):
    """256 entries a group: record of all low bytes, all high bytes, scale. For processors with tables as large."""

    span_bytes = 64

    def open(self, record: Value) -> list[Value]:
        return [record, record.code.load(record, 512, F32)]

    def numbers(self, code: Code, opened: list[list[Value]], weights: list[Value], span: Value) -> list[Numbers]:
        indices = [code.load(row, span * 64, code.cpu.vectors.bytes) for row in weights]
        planes = []
        for plane in (0, 256):
            table = code.load(opened[0][0], plane, "<256 x i8>")
            planes.append([code.cpu.look_up(table, index) for index in indices])
        return [Numbers(interleave(low, high)) for low, high in zip(*planes, strict=True)]

    def scale(self, opened: list[Value]) -> Value:
        return opened[1]


class FetchedLut8(WholeForm):
    """The same where tables have 64 entries: record of the entries as 16-bit numbers, scale. Fetched one by one."""

    span_bytes = 64

    def order(self, lanes: int) -> tuple[int, ...]:  # noqa: ARG002
        return tuple(range(SPAN))

    def open(self, record: Value) -> list[Value]:
        return [record, record.code.load(record, 512, F32)]

    def numbers(self, code: Code, opened: list[list[Value]], weights: list[Value], span: Value) -> list[Numbers]:
        out = []
        for (record, _), row in zip(opened, weights, strict=True):
            vectors = [code.constant("<16 x i16>", 0)] * 4
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

    bytes_first = _NIBBLES
    aux_a_row = True

    def open(self, record: Value) -> list[Value]:
        return [record]

    def numbers(self, code: Code, opened: list[list[Value]], weights: list[Value], span: Value) -> list[Numbers]:
        zero = code.constant(code.cpu.vectors.bytes, 0)
        floats = code.cpu.vectors.floats
        lanes_first = [lane % 2 for lane in range(code.cpu.vectors.lanes) for _ in range(4)]
        out = []
        for (record,), row in zip(opened, weights, strict=True):
            # A nibble in the upper half of the upper byte is its value times 4096, sign and all.
            vectors = [part for high in _nibbles(code, row, span, upper=True) for part in interleave(zero, high)]
            scales = code.load(record, span * 4, "<2 x half>").pick(lanes_first).cast("fpext", floats)
            out.append(Numbers(vectors, scales))
        return out

    def scale(self, opened: list[Value]) -> Value:
        return opened[0].code.constant(F32, 1.0 / 4096)

    def largest_scale(self, opened: list[Value], first: Value, count: Value) -> Value:
        [record] = opened
        code = record.code

        def span(index: Value, found: list[Value]) -> list[Value]:
            scales = code.load(record, (first + index) * 4, "<2 x half>").cast("fpext", "<2 x float>")
            return [found[0].most(scales.magnitude())]

        [two] = code.loop(count, [code.constant("<2 x float>", 1e-30)], span)  # not zero: it divides
        return two.at(0).most(two.at(1))


class Int8(WholeForm):
    """One a byte, a float32 scale a row."""

    span_bytes = 64
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
        type_ = code.cpu.vectors.bytes
        zero = code.constant(type_, 0)
        out = []
        for row in weights:
            parts = [code.load(row, span * 64 + at, type_) for at in range(0, SPAN, lanes(type_))]
            out.append(Numbers([vector for part in parts for vector in interleave(zero, part)]))
        return out

    def scale(self, opened: list[Value]) -> Value:
        return opened[0] * (1.0 / 256)


WHOLE_FORMS: dict[str, WholeForm] = {
    "lut4": Lut4(),
    "lut6": Lut6(),
    "lut8": Lut8(),
    "fetched lut8": FetchedLut8(),
    "int4": Int4(),
    "int8": Int8(),
}


def blocks_in(spans: Count) -> Count:
    """The number of blocks of so many spans; the last may have fewer than `BLOCK`."""
    return (spans + (BLOCK - 1)) // BLOCK


def each_block(code: Code, spans: Value, body: Callable[[Value, Value, Value], None]) -> None:
    """Write `body(number, first, count)` for all blocks: which spans are its own."""

    def block(number: Value) -> None:
        first = number * BLOCK
        body(number, first, code.least(spans - first, code.constant(I64, BLOCK)))

    code.each(blocks_in(spans), block)


def opener(code: Code, form: WholeForm, rows: int) -> Callable[[Value], tuple[Value, list[list[Value]]]]:
    """Of each unit of `rows` rows: its first row, and what each of them needs throughout."""
    aux, aux_bytes, group = code.field(Job.AUX, "ptr"), code.field(Job.AUX_BYTES), code.field(Job.GROUP)

    def opened_at(unit: Value) -> tuple[Value, list[list[Value]]]:
        row = unit * rows
        record = code.shifted(aux, row // group * aux_bytes)
        records = [code.shifted(record, aux_bytes * k) if form.aux_a_row else record for k in range(rows)]
        return row, [form.open(one) for one in records]

    return opened_at
