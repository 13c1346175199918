"""Kernels that multiply a few vectors by a stored matrix, reading each of its rows once. T tokens, I columns.

Codebooks and integers take activations as whole numbers of 15 bits with a scale for 32 columns: products of 15 by 16
bits are exact, and four of them fit the 32 bits of a sum. Dense forms multiply in float32.
"""

from __future__ import annotations

from collections.abc import Callable

from models.kernels.code import F8, Code, Instructions, Value, lanes
from models.kernels.forms import SPAN, WHOLE_FORMS, Job, WholeForm, opener

_BF16, _FP16, _FP32 = "bf16", "fp16", "fp32"
DENSE_FORMS = {_BF16: 2, _FP16: 2, _FP32: 4}  # bytes an element
AHEAD = 6144  # bytes at which memory is asked for: its own guess ends with each row
_CHAINS = 8  # sums kept apart, so that one need not wait for another


def write_product(cpu: Instructions, form: str, tokens: int, rows: int) -> str:
    """The module of kernel `product`: `tokens` vectors times the matrix, `rows` of its rows at once."""
    code = Code("product", cpu)
    columns = _Columns(code)
    if form in DENSE_FORMS:
        _write_dense(code, form, tokens, rows, columns)
    else:
        _write_whole(code, WHOLE_FORMS[form], tokens, rows, columns)
    code.stop()
    return code.text()


class _Columns:
    """What all rows share: the job's fields."""

    def __init__(self, code: Code) -> None:
        self.spans = code.field(Job.SPANS)
        self.weights, self.row_bytes = code.field(Job.WEIGHTS, "ptr"), code.field(Job.ROW_BYTES)
        self.x, self.x_scales = code.field(Job.X, "ptr"), code.field(Job.X_SCALES, "ptr")
        self.out, self.out_bytes = code.field(Job.OUT, "ptr"), code.field(Job.OUT_BYTES)


def _write_whole(code: Code, form: WholeForm, tokens: int, rows: int, columns: _Columns) -> None:
    opened_at = opener(code, form, rows)
    vectors = code.cpu.vectors
    x_bytes, scale_bytes = columns.spans * (2 * SPAN), columns.spans * 32
    zero = code.constant(vectors.floats, 0.0)
    wide = 16 * vectors.lanes  # bytes
    for_lanes = [4 * (lane % 2) + k for lane in range(vectors.lanes) for k in range(4)]

    def rows_at(first: Value) -> None:
        row, opened = opened_at(first)
        weights = [code.shifted(columns.weights, (row + k) * columns.row_bytes) for k in range(rows)]

        def span(index: Value, sums: list[Value]) -> list[Value]:
            numbers = form.numbers(code, opened, weights, index)
            sums = list(sums)
            for r in range(rows):
                code.prefetch(weights[r], index * form.span_bytes + AHEAD)
            for t in range(tokens):
                x = code.shifted(columns.x, index * (2 * SPAN) + x_bytes * t)
                numbers_x = [code.load(x, at, vectors.words) for at in range(0, 2 * SPAN, wide)]
                x_scale = code.load(columns.x_scales, index * 32 + scale_bytes * t, F8).pick(for_lanes)
                for r in range(rows):
                    pairs = list(zip(numbers[r].vectors, numbers_x, strict=True))
                    # Two vectors are four products to a sum: more would not fit 32 bits.
                    sums_of_four = [code.cpu.dot(pairs[at : at + 2]) for at in range(0, len(pairs), 2)]
                    total, *rest = (each.cast("sitofp", vectors.floats) for each in sums_of_four)
                    for more in rest:
                        total = total + more
                    weight_scale = numbers[r].scale
                    scale = x_scale if weight_scale is None else x_scale * weight_scale
                    sums[t * rows + r] = code.fma(total, scale, sums[t * rows + r])
            return sums

        sums = code.loop(columns.spans, [zero] * (tokens * rows), span)
        for t in range(tokens):
            for r in range(rows):
                total = sums[t * rows + r].sum() * form.scale(opened[r])
                code.store(total, columns.out, (row + r) * 4 + columns.out_bytes * t)

    _each(code, rows_at)


def write_expand(cpu: Instructions, form_name: str, rows: int) -> str:
    """The module of kernel `expand`: a packed matrix in float32, the columns of each span in the form's order.

    OUT [rows, I] is where to, OUT_BYTES from row to row. Numbers are those that products multiply.
    """
    code = Code("expand", cpu)
    form, columns, count = WHOLE_FORMS[form_name], _Columns(code), lanes(cpu.vectors.words)
    opened_at = opener(code, form, rows)

    def rows_at(first: Value) -> None:
        row, opened = opened_at(first)
        weights = [code.shifted(columns.weights, (row + k) * columns.row_bytes) for k in range(rows)]
        outs = [code.shifted(columns.out, (row + k) * columns.out_bytes) for k in range(rows)]
        scales = [code.splat(form.scale(record), count) for record in opened]

        def span(index: Value) -> None:
            for r, numbers in enumerate(form.numbers(code, opened, weights, index)):
                code.prefetch(weights[r], index * form.span_bytes + AHEAD)
                scale = scales[r]
                if numbers.scale is not None:
                    scale = scale * numbers.scale.pick([4 * (k // 8 % 2) for k in range(count)])
                for k, vector in enumerate(numbers.vectors):
                    floats = vector.cast("sext", f"<{count} x i32>").cast("sitofp", f"<{count} x float>")
                    code.store(floats * scale, outs[r], (index * SPAN + count * k) * 4)

        code.each(columns.spans, span)

    _each(code, rows_at)
    code.stop()
    return code.text()


def _write_dense(code: Code, form: str, tokens: int, rows: int, columns: _Columns) -> None:
    size = DENSE_FORMS[form]
    chains = max(1, _CHAINS // (tokens * rows))
    x_bytes = columns.spans * (4 * SPAN)
    zero = code.constant(F8, 0.0)

    def rows_at(first: Value) -> None:
        row = first * rows
        weights = [code.shifted(columns.weights, (row + k) * columns.row_bytes) for k in range(rows)]

        def span(index: Value, sums: list[Value]) -> list[Value]:
            sums = list(sums)
            for r in range(rows):
                for line in range(0, SPAN * size, 64):
                    code.prefetch(weights[r], index * (SPAN * size) + (AHEAD + line))
            for k in range(SPAN // 8):
                expanded = [_floats(code, form, weights[r], index * (SPAN * size) + 8 * size * k) for r in range(rows)]
                for t in range(tokens):
                    x = code.load(columns.x, index * (SPAN * 4) + x_bytes * t + 32 * k, F8)
                    for r in range(rows):
                        place = (t * rows + r) * chains + k % chains
                        sums[place] = code.fma(expanded[r], x, sums[place])
            return sums

        sums = code.loop(columns.spans, [zero] * (tokens * rows * chains), span)
        for t in range(tokens):
            for r in range(rows):
                total, *rest = sums[(t * rows + r) * chains : (t * rows + r + 1) * chains]
                for other in rest:
                    total = total + other
                code.store(total.sum(), columns.out, (row + r) * 4 + columns.out_bytes * t)

    _each(code, rows_at)


def _each(code: Code, body: Callable[[Value], None]) -> None:
    """Write `body` for every unit of rows that this thread takes."""

    code.share(lambda first, count: code.each(count, lambda index: body(first + index)))


def _floats(code: Code, form: str, pointer: Value, offset: Value) -> Value:
    """Eight weights in float32."""
    if form == _FP32:
        return code.load(pointer, offset, F8)
    if form == _FP16:
        return code.load(pointer, offset, "<8 x half>").cast("fpext", F8)
    return (code.load(pointer, offset, "<8 x i16>").cast("zext", "<8 x i32>") << 16).bits(F8)
