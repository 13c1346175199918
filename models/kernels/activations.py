"""Activations as whole numbers in a form's order of columns, and the steps that they are multiples of."""

from __future__ import annotations

from models.kernels.code import F8, F32, Code, Instructions, Value, lanes
from models.kernels.forms import BLOCK, LARGEST_WORD, SPAN, Job, blocks_in, each_block

_LEAST_STEP = 1e-34  # not zero: it divides


def write_quantize(cpu: Instructions, order: tuple[int, ...]) -> str:
    """The module of kernel `quantize`: float32 rows to whole numbers in `order`, with the scales of each span's lanes.

    The job's units are tokens; X is the float32 input, OUT the numbers, X_SCALES the scales.
    """
    code = Code("quantize", cpu)
    spans, source, out = code.field(Job.SPANS), code.field(Job.X, "ptr"), code.field(Job.OUT, "ptr")
    scales = code.field(Job.X_SCALES, "ptr")
    # Which eights of columns stand in even lanes, and which in odd ones.
    parts_of = [sorted({order[at] // 8 for at in range(SPAN) if at // 8 % 2 == odd}) for odd in (0, 1)]

    def span(index: Value) -> None:
        parts = _parts(code, source, index)
        whole: dict[int, Value] = {}
        steps = []
        for eights in parts_of:
            step, numbers = _quantized(code, [parts[k] for k in eights])
            steps.append(code.splat(step, 4))
            whole |= zip(eights, numbers, strict=True)
        code.store(steps[0].pick(range(8), steps[1]), scales, index * 32)
        _store_ordered(code, [whole[k] for k in range(8)], order, out, index)

    code.each(spans * code.field(Job.UNITS), span)
    code.stop()
    return code.text()


def _quantized(code: Code, parts: list[Value]) -> tuple[Value, list[Value]]:
    """The step between whole numbers for the largest of `parts`, and each part in them."""
    top = parts[0].magnitude()
    for part in parts[1:]:
        top = top.most(part.magnitude())
    most = top.largest().most(code.constant(F32, 1e-30))  # not zero: it divides
    numbers = _rounded(code, parts, code.splat(Job.LARGEST / most, 8))
    return most / Job.LARGEST, numbers


def write_blocks(cpu: Instructions, order: tuple[int, ...]) -> str:
    """The module of kernel `blocks`: float32 rows to whole numbers in `order`, with a step a block, for panels.

    The job's units are tokens; X is the float32 input [T, I], OUT the numbers, X_SCALES the steps [T, blocks]. LONGEST
    (float32) is how large √Σx² may be of numbers that one sum of a panel meets.
    """
    code = Code("blocks", cpu)
    spans, source, out = code.field(Job.SPANS), code.field(Job.X, "ptr"), code.field(Job.OUT, "ptr")
    steps, longest = code.field(Job.X_SCALES, "ptr"), code.field(Job.LONGEST, F32)
    blocks = blocks_in(spans)

    def token(index: Value) -> None:
        def block(number: Value, start: Value, count: Value) -> None:
            first = index * spans + start
            step = _block_step(code, source, first, count, order, longest)
            inverse = code.splat(1.0 / step, 8)
            code.store(step, steps, (index * blocks + number) * 4)

            def span(k: Value) -> None:
                whole = _rounded(code, _parts(code, source, first + k), inverse)
                _store_ordered(code, whole, order, out, first + k)

            code.each(count, span)

        each_block(code, spans, block)

    code.each(code.field(Job.UNITS), token)
    code.stop()
    return code.text()


def _block_step(code: Code, source: Value, first: Value, count: Value, order: tuple[int, ...], longest: Value) -> Value:
    """The least step by which each number of a block fits 16 bits, and what meets in one sum keeps to `longest`."""
    words, floats = lanes(code.cpu.vectors.words), code.cpu.vectors.floats

    def span(k: Value, carried: list[Value]) -> list[Value]:
        top, squares = carried
        parts = _parts(code, source, first + k)
        for part in parts:
            top = top.most(part.magnitude())
        low, high = _halves(parts)
        for at in range(0, SPAN, words):
            for odd in (0, 1):
                met = low.pick(order[at + odd : at + words : 2], high)
                squares = code.fma(met, met, squares)
        return [top, squares]

    top, squares = code.loop(count, [code.constant(F8, 0.0), code.constant(floats, 0.0)], span)
    # Rounding may add half a step to each number.
    rounding = 0.5 * (BLOCK * SPAN / lanes(floats)) ** 0.5
    share = squares.largest().root() / (longest - rounding)
    return (top.largest() * (1 / LARGEST_WORD)).most(share).most(code.constant(F32, _LEAST_STEP))


def _parts(code: Code, source: Value, span: Value) -> list[Value]:
    """The 64 float32 numbers of a span, in eights."""
    return [code.load(source, span * (SPAN * 4) + 32 * k, F8) for k in range(8)]


def _rounded(code: Code, parts: list[Value], inverse: Value) -> list[Value]:
    return [code.cpu.nearest(part * inverse).cast("trunc", "<8 x i16>") for part in parts]


def _halves(parts: list[Value]) -> tuple[Value, Value]:
    """Columns 0 to 31 of a span and the rest, from its eights."""
    pairs = [parts[2 * k].pick(range(16), parts[2 * k + 1]) for k in range(4)]
    return pairs[0].pick(range(32), pairs[1]), pairs[2].pick(range(32), pairs[3])


def _store_ordered(code: Code, whole: list[Value], order: tuple[int, ...], out: Value, span: Value) -> None:
    low, high = _halves(whole)
    for v in range(4):
        code.store(low.pick(order[16 * v : 16 * v + 16], high), out, span * (2 * SPAN) + 32 * v)
