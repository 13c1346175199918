"""Panels: many vectors times a packed matrix, a few of whose rows are unpacked at a time. T tokens, I columns, O rows.

A panel is up to 16 rows by `BLOCK` spans as whole numbers of 16 bits: small enough to stay in the first cache
while every token meets it. Tokens are whole numbers, too, as large as a block's sums still fit 32 bits: by Cauchy and
Schwarz |Σ w x| <= √Σw² √Σx², of which a kernel measures the first factor once for the whole matrix. So activations keep
12 to 13 bits and a sign, where the largest weight and the largest activation alone would leave them 10.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from models.kernels.code import F32, I64, Code, Value, lanes
from models.kernels.forms import BLOCK, LARGEST_WORD, SPAN, WHOLE_FORMS, Job, WholeForm, blocks_in, each_block, opener
from models.kernels.instructions import Avx2

TILE_ROWS, TILE_TOKENS = 4, 2  # whose sums stay in registers
PANEL_UNITS = 4  # of TILE_ROWS rows each
_SPAN_BYTES = 2 * SPAN
_ROW_BYTES = BLOCK * _SPAN_BYTES
_PANEL_ROWS = PANEL_UNITS * TILE_ROWS
ROOM_BYTES = _PANEL_ROWS * (_ROW_BYTES + 4)  # that each thread takes of a job's ROOM


def write_panels(cpu: Avx2, form: str, rows: int) -> str:
    """The module of kernel `panels`: adds x Wᵀ to OUT [T, O], float32.

    A unit of the job is `TILE_ROWS` rows, of which `rows` are unpacked at once. X [T, I] are whole numbers in the order
    of the form, X_SCALES [T, blocks] their steps; T is a multiple of `TILE_TOKENS`.
    """
    code = Code("panels", cpu)
    panel = _Panel(code, cpu, WHOLE_FORMS[form], rows)
    tile = _Tile(code, panel)
    pairs = code.field(Job.TOKENS) // TILE_TOKENS

    def multiply(first: Value, units: Value, block: Value, spans: Value) -> None:
        def tokens(index: Value) -> None:
            code.each(units, lambda unit: tile.multiply(first, unit, index * TILE_TOKENS, block, spans))

        code.each(pairs, tokens)

    panel.each(multiply)
    code.stop()
    return code.text()


def write_measure(cpu: Avx2, form: str, rows: int) -> str:
    """The module of kernel `measure`: OUT [units], float32, at first zeros, becomes the most that Σw² is in one sum.

    Units are as in `panels`; each panel's figure stands at its first unit.
    """
    code = Code("measure", cpu)
    panel = _Panel(code, cpu, WHOLE_FORMS[form], rows)
    out = code.field(Job.OUT, "ptr")
    vectors = cpu.vectors
    zero = code.constant(vectors.floats, 0.0)

    def measure(first: Value, units: Value, block: Value, spans: Value) -> None:  # noqa: ARG001
        def row(index: Value, found: list[Value]) -> list[Value]:
            numbers = code.shifted(panel.numbers, index * _ROW_BYTES)

            def span(at: Value, sums: list[Value]) -> list[Value]:
                [total] = sums
                for byte in range(0, _SPAN_BYTES, 16 * vectors.lanes):
                    words = code.load(numbers, at * _SPAN_BYTES + byte, vectors.words)
                    # 2 · 32768² is 2³¹, whose sign is lost.
                    total = total + cpu.dot([(words, words)]).cast("sitofp", vectors.floats).magnitude()
                return [total]

            return [found[0].most(code.loop(spans, [zero], span)[0])]

        [found] = code.loop(units * TILE_ROWS, [zero], row)
        code.store(found.largest().most(code.load(out, first * 4, F32)), out, first * 4)

    panel.each(measure)
    code.stop()
    return code.text()


class _Panel:
    """Room for a panel's numbers, and for what each of its rows is a multiple of."""

    def __init__(self, code: Code, cpu: Avx2, form: WholeForm, rows: int) -> None:
        self._code, self._cpu, self._form, self._rows = code, cpu, form, rows
        # A thread's own: as large an array on the stack would have Windows' compilers call a function for it.
        room = code.take(Job.ROOMS_TAKEN, code.constant(I64, 1)) * ROOM_BYTES
        self.numbers = code.shifted(code.field(Job.ROOM, "ptr"), room)
        self.scales = code.shifted(self.numbers, _PANEL_ROWS * _ROW_BYTES)
        self._weights, self._row_bytes = code.field(Job.WEIGHTS, "ptr"), code.field(Job.ROW_BYTES)
        self._opened_at = opener(code, form, rows)

    def each(self, body: Callable[[Value, Value, Value, Value], None]) -> None:
        """Write `body(first, units, block, spans)` for the panels of each piece that this thread takes.

        All panels of a piece meet one block's activations, which so stay in the second cache, before the next block's.
        """
        code, all_spans = self._code, self._code.field(Job.SPANS)

        def piece(first: Value, count: Value) -> None:
            def block(number: Value, start: Value, spans: Value) -> None:
                def panel(index: Value) -> None:
                    done = index * PANEL_UNITS
                    units = code.least(count - done, code.constant(I64, PANEL_UNITS))
                    few = units * (TILE_ROWS // self._rows)
                    code.each(few, lambda part: self._unpack(first + done, part, start, spans))
                    body(first + done, units, number, spans)

                code.each((count + (PANEL_UNITS - 1)) // PANEL_UNITS, panel)

            each_block(code, all_spans, block)

        code.share(piece)

    def _unpack(self, first: Value, part: Value, start: Value, count: Value) -> None:
        """`count` spans from `start` on, of the `part`th few rows after unit `first`."""
        code, form, rows = self._code, self._form, range(self._rows)
        row, opened = self._opened_at(first * (TILE_ROWS // self._rows) + part)
        weights = [code.shifted(self._weights, (row + k) * self._row_bytes) for k in rows]
        place = part * self._rows
        out = [code.shifted(self.numbers, (place + k) * _ROW_BYTES) for k in rows]
        shares = []  # what spans' own scales are multiplied by: the largest becomes 32767
        for k in rows:
            scale = form.scale(opened[k])
            if (largest := form.largest_scale(opened[k], start, count)) is not None:
                scale = scale * largest * (32768.0 / LARGEST_WORD)
                shares.append(code.splat(LARGEST_WORD / largest, lanes(code.cpu.vectors.floats)))
            code.store(scale, self.scales, (place + k) * 4)
        words = lanes(code.cpu.vectors.words)

        def span(at: Value) -> None:
            for each in weights:  # the next block's, which is met once all panels of this piece have met this one
                code.prefetch(each, (start + at + BLOCK) * form.span_bytes)
            for k, numbers in enumerate(form.numbers(code, opened, weights, start + at)):
                vectors = numbers.vectors
                if numbers.scale is not None:
                    nearest = code.cpu.nearest(numbers.scale * shares[k])
                    factor = nearest.pick([4 * (word // 8) for word in range(words)]).cast("trunc", vectors[0].type)
                    vectors = [self._cpu.scaled(vector, factor) for vector in vectors]
                for v, vector in enumerate(vectors):
                    code.store(vector, out[k], at * _SPAN_BYTES + 2 * words * v)

        code.each(count, span)


class _Tile:
    """`TILE_ROWS` rows of the panel times `TILE_TOKENS` tokens."""

    def __init__(self, code: Code, panel: _Panel) -> None:
        self._code, self._panel = code, panel
        spans = code.field(Job.SPANS)
        self._x, self._x_bytes = code.field(Job.X, "ptr"), spans * _SPAN_BYTES
        self._steps, self._blocks = code.field(Job.X_SCALES, "ptr"), blocks_in(spans)
        self._out, self._out_bytes = code.field(Job.OUT, "ptr"), code.field(Job.OUT_BYTES)

    def multiply(self, first: Value, unit: Value, token: Value, block: Value, count: Value) -> None:
        """The rows of unit `first` + `unit`, which lie `unit` units into the panel, by the tokens from `token` on."""
        code, vectors = self._code, self._code.cpu.vectors
        tokens, rows = range(TILE_TOKENS), range(TILE_ROWS)
        weights = [code.shifted(self._panel.numbers, (unit * TILE_ROWS + r) * _ROW_BYTES) for r in rows]
        xs = [code.shifted(self._x, (token + t) * self._x_bytes + block * _ROW_BYTES) for t in tokens]

        def span(at: Value, sums: list[Value]) -> list[Value]:
            sums = list(sums)
            for byte in range(0, _SPAN_BYTES, 16 * vectors.lanes):
                x = [code.load(each, at * _SPAN_BYTES + byte, vectors.words) for each in xs]
                for r in rows:
                    row = code.load(weights[r], at * _SPAN_BYTES + byte, vectors.words)
                    for t in tokens:
                        place = t * TILE_ROWS + r
                        sums[place] = sums[place] + code.cpu.dot([(row, x[t])])
            return sums

        sums = code.loop(count, [code.constant(vectors.sums, 0)] * (TILE_TOKENS * TILE_ROWS), span)
        scales = code.load(self._panel.scales, unit * (4 * TILE_ROWS), f"<{TILE_ROWS} x float>")
        for t in tokens:
            total = _totals([each.cast("sitofp", vectors.floats) for each in sums[t * TILE_ROWS : (t + 1) * TILE_ROWS]])
            step = code.load(self._steps, ((token + t) * self._blocks + block) * 4, F32)
            where = (token + t) * self._out_bytes + (first + unit) * (4 * TILE_ROWS)
            before = code.load(self._out, where, scales.type)
            code.store(code.fma(total, scales * code.splat(step, TILE_ROWS), before), self._out, where)


def _totals(sums: Sequence[Value]) -> Value:
    """The sum of each of four vectors."""
    first, second, third, fourth = sums
    both = _neighbours(_neighbours(first, second), _neighbours(third, fourth))
    return both.folded(Value.__add__, TILE_ROWS)


def _neighbours(left: Value, right: Value) -> Value:
    """Sums of neighbours: of each 128 bits two from `left`, two from `right`."""
    count = lanes(left.type)
    even = [place for lane in range(0, count, 4) for place in (lane, lane + 2, count + lane, count + lane + 2)]
    return left.pick(even, right) + left.pick([place + 1 for place in even], right)
