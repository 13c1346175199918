"""Matrix: a stored weight as kernels read it, and its product with a few vectors. O rows, I columns, T tokens."""

from __future__ import annotations

import ctypes
import functools
import math
from collections.abc import Callable

import torch
from torch import Tensor

from models.kernels.activations import write_blocks, write_quantize
from models.kernels.code import Instructions
from models.kernels.forms import SPAN, WHOLE_FORMS, Job, blocks_in
from models.kernels.instructions import Avx2
from models.kernels.machine import Kernel, instructions
from models.kernels.panels import PANEL_UNITS, ROOM_BYTES, TILE_ROWS, TILE_TOKENS, write_measure, write_panels
from models.kernels.products import DENSE_FORMS, write_expand, write_product

MOST_TOKENS = 8  # in one pass
_DENSE_IN_PASSES = 32  # tokens, of dense matrices of 16 bits; of packed ones it is the processor's
# Codebooks are read as 16-bit parts of their largest number: where it is more times the middle one, that one is rounded
# by more than half a percent.
_WIDEST = 512
_DENSE = {torch.bfloat16: "bf16", torch.float16: "fp16", torch.float32: "fp32"}
# Of the matrix, that a thread takes at once: smaller pieces cut runs of reads short, larger ones make threads wait.
_PIECE_BYTES = 1 << 18
_EXPANDED_BYTES = 1 << 20  # the same of rows that are expanded
_PIECE_PANELS = 8  # after so many, activations come from the third cache again: the second has no room for all
_LEAST_PIECES = 16
# Of the matrix, in all passes, for each thread at least: two gain 10 of 46 µs on 512 KiB where both have a processor,
# 1 of 21 on 200 KiB, and wait for each other where another program has one of them.
_THREAD_BYTES = 1 << 19


class Matrix:
    """Multiplies float32 vectors by a matrix [O, I]; what it reads stays where it is mapped."""

    def __init__(
        self, form: str, shape: tuple[int, int], weights: Tensor, aux: Tensor | None = None, *, group: int = 1
    ) -> None:
        self.form, self.shape = form, shape
        self._kept = weights, aux
        self._whole = form in WHOLE_FORMS
        share = self._whole and not WHOLE_FORMS[form].aux_a_row  # rows that are worked on at once share a codebook
        self.rows_at_once = 2 if shape[0] % 2 == 0 and (group % 2 == 0 or not share) else 1
        # Tokens up to which passes are fastest, and whether more take `by_panels` or `expand`.
        self.in_passes = _cpu().in_passes if self._whole else _DENSE_IN_PASSES
        self.in_panels = self._whole and _cpu().in_panels and shape[0] % TILE_ROWS == 0
        self._spans = shape[1] // SPAN
        row_bytes = weights.stride(0) * weights.element_size()
        fields = [0] * Job.FIELDS
        fields[Job.WEIGHTS], fields[Job.ROW_BYTES] = weights.data_ptr(), row_bytes
        if aux is not None:
            fields[Job.AUX], fields[Job.AUX_BYTES] = aux.data_ptr(), aux.stride(0) * aux.element_size()
        fields[Job.GROUP], fields[Job.SPANS], fields[Job.OUT_BYTES] = group, self._spans, 4 * shape[0]
        self._fields = tuple(fields)
        self._row_bytes = row_bytes
        self._bytes = shape[0] * row_bytes
        self._threads = max(1, self._bytes // _THREAD_BYTES)

    def product(self, x: Tensor) -> Tensor:
        """x [T, I], float32, 1 <= T <= MOST_TOKENS -> x Wᵀ [T, O], float32."""
        tokens = len(x)
        x = x.contiguous()
        out = torch.empty((tokens, self.shape[0]), dtype=torch.float32)
        rows = self.rows_at_once if tokens <= _cpu().two_rows else 1
        job = (ctypes.c_int64 * Job.FIELDS)(*self._fields)
        job[Job.UNITS] = self.shape[0] // rows
        job[Job.PIECE] = max(1, min(_PIECE_BYTES // (self._row_bytes * rows), job[Job.UNITS] // _LEAST_PIECES))
        job[Job.X], job[Job.OUT] = x.data_ptr(), out.data_ptr()
        if self._whole:
            whole = torch.empty((tokens, self._spans, 5 * 32), dtype=torch.uint8)  # numbers, then scales
            job[Job.X], job[Job.X_SCALES] = whole.data_ptr(), whole.data_ptr() + tokens * self._spans * 2 * SPAN
            _prepare(_quantizer, self.form, x, job)
        _product(self.form, tokens, rows).run_shared(job, self._threads)
        return out

    def by_panels(self, x: Tensor) -> Tensor:
        """x [T, I], float32 -> x Wᵀ [T, O], float32. O is a multiple of `TILE_ROWS`."""
        tokens, even = len(x), -(-len(x) // TILE_TOKENS) * TILE_TOKENS
        x = x.contiguous()
        numbers = torch.empty((even, self.shape[1]), dtype=torch.int16)
        steps = torch.empty((even, blocks_in(self._spans)), dtype=torch.float32)
        numbers[tokens:], steps[tokens:] = 0, 0
        out = torch.zeros((even, self.shape[0]), dtype=torch.float32)
        job = (ctypes.c_int64 * Job.FIELDS)(*self._fields)
        job[Job.X], job[Job.X_SCALES], job[Job.OUT] = numbers.data_ptr(), steps.data_ptr(), out.data_ptr()
        job[Job.TOKENS], job[Job.LONGEST] = even, self._longest
        _prepare(_blocks, self.form, x, job)
        self._run_panels(_panels, job, -(-tokens // MOST_TOKENS))
        return out[:tokens]

    @functools.cached_property
    def _longest(self) -> int:
        """Field LONGEST of jobs: measured when first needed, as all of the matrix is read for it."""
        squares = torch.zeros(self.shape[0] // TILE_ROWS, dtype=torch.float32)
        job = (ctypes.c_int64 * Job.FIELDS)(*self._fields)
        job[Job.OUT] = squares.data_ptr()
        self._run_panels(_measure, job, 1)
        longest = torch.tensor([2**31 * (1 - 1e-5)]) / squares.max().sqrt().clamp_min(1.0)
        return int(longest.view(torch.int32))

    def _run_panels(self, kernel: Callable[[str, int], Kernel], job: ctypes.Array[ctypes.c_int64], passes: int) -> None:
        """A kernel over the matrix's panels, whose work is as much as that of so many passes."""
        units = self.shape[0] // TILE_ROWS
        piece = max(1, min(_PIECE_PANELS, units // (PANEL_UNITS * _LEAST_PIECES))) * PANEL_UNITS
        room = torch.empty(torch.get_num_threads() * ROOM_BYTES, dtype=torch.uint8)
        job[Job.UNITS], job[Job.PIECE], job[Job.ROOM] = units, piece, room.data_ptr()
        kernel(self.form, self.rows_at_once).run_shared(job, max(1, passes * self._bytes // _THREAD_BYTES))

    def expand(self, first: int, out: Tensor) -> Tensor:
        """Rows `first` and on in `out` [N, I], float32, each row's numbers side by side, columns as `ordered` has them.
        `first` and N are multiples of `rows_at_once`."""
        if not self._whole:
            return out.copy_(self._kept[0][first : first + len(out)])
        job = (ctypes.c_int64 * Job.FIELDS)(*self._fields)
        rows = self.rows_at_once
        units, out_bytes = len(out) // rows, out.stride(0) * 4
        job[Job.NEXT], job[Job.UNITS] = first // rows, first // rows + units
        job[Job.PIECE] = max(1, min(_EXPANDED_BYTES // (out_bytes * rows), units // _LEAST_PIECES))
        job[Job.OUT], job[Job.OUT_BYTES] = out.data_ptr() - first * out_bytes, out_bytes
        _expander(self.form, rows).run_shared(job, max(1, len(out) * out_bytes // _THREAD_BYTES))
        return out

    def ordered(self, x: Tensor) -> Tensor:
        """x [T, I] with its columns as those of expanded rows stand: packed forms have an order of their own."""
        if not self._whole:
            return x
        order = torch.tensor(WHOLE_FORMS[self.form].order(_cpu().vectors.lanes))
        return x.reshape(len(x), self._spans, SPAN)[:, :, order].reshape(len(x), self.shape[1])


def lut_matrix(indices: Tensor, codebook: Tensor, bits: int) -> Matrix | None:
    """Of packed indices [O, I·bits/8] and a codebook [O/group, N]; None where no kernel fits."""
    shape = (len(indices), indices.shape[1] * 8 // bits)
    if codebook.shape[1] != 1 << bits or not _fits(shape, indices):
        return None
    tables = codebook.float()
    magnitudes = tables.abs()
    largest = magnitudes.amax(1, keepdim=True).clamp_min(1e-30)
    typical = magnitudes.where(magnitudes > 0, math.nan).nanmedian(1, keepdim=True).values
    if (largest > _WIDEST * typical).any():  # nothing is where all entries are 0
        return None
    whole = (tables * (32767 / largest)).round().to(torch.int16)
    low, high = (whole & 255).to(torch.uint8), (whole >> 8).to(torch.int8).view(torch.uint8)
    scale, form = (largest / 32767).view(torch.uint8), f"lut{bits}"
    if codebook.shape[1] > _cpu().largest_table:
        form, low, high = f"fetched {form}", whole.view(torch.uint8), low[:, :0]
    record = torch.cat((low, high, scale), dim=1).contiguous()
    return Matrix(form, shape, indices, record, group=len(indices) // len(codebook))


def block_matrix(values: Tensor, scale: Tensor) -> Matrix | None:
    """Of integers [O, I], or [O, I/2] packed, and scales [O, I/block]; None where no kernel fits."""
    packed = values.dtype == torch.uint8
    shape = (len(values), values.shape[1] * (2 if packed else 1))
    if not _fits(shape, values):
        return None
    if packed and scale.dtype == torch.float16 and scale.shape[1] * 32 == shape[1]:
        return Matrix("int4", shape, values, scale.contiguous())
    if not packed and scale.shape[1] == 1:
        return Matrix("int8", shape, values, scale.float().contiguous())
    return None


def dense_matrix(values: Tensor) -> Matrix | None:
    """Of plain numbers [O, I]; None where no kernel fits."""
    form = _DENSE.get(values.dtype)
    shape = (values.shape[0], values.shape[1])
    return Matrix(form, shape, values) if form in DENSE_FORMS and _fits(shape, values) else None


def _fits(shape: tuple[int, int], stored: Tensor) -> bool:
    return shape[1] % SPAN == 0 and stored.device.type == "cpu" and stored.stride(1) == 1 and instructions() is not None


@functools.cache
def _expander(form: str, rows: int) -> Kernel:
    return Kernel(write_expand(_cpu(), form, rows), "expand")


@functools.cache
def _product(form: str, tokens: int, rows: int) -> Kernel:
    return Kernel(write_product(_cpu(), form, tokens, rows), "product")


@functools.cache
def _panels(form: str, rows: int) -> Kernel:
    return Kernel(write_panels(_avx(), form, rows), "panels")


@functools.cache
def _measure(form: str, rows: int) -> Kernel:
    return Kernel(write_measure(_avx(), form, rows), "measure")


def _avx() -> Avx2:
    cpu = _cpu()
    assert isinstance(cpu, Avx2)  # no other is `in_panels`
    return cpu


def _prepare(
    kernel: Callable[[tuple[int, ...]], Kernel], form: str, x: Tensor, job: ctypes.Array[ctypes.c_int64]
) -> None:
    """Write the job's numbers and scales from `x`, whose rows are the kernel's units."""
    inner = (ctypes.c_int64 * Job.FIELDS)()
    inner[Job.UNITS], inner[Job.SPANS] = len(x), job[Job.SPANS]
    inner[Job.X], inner[Job.OUT], inner[Job.X_SCALES] = x.data_ptr(), job[Job.X], job[Job.X_SCALES]
    inner[Job.LONGEST] = job[Job.LONGEST]
    kernel(WHOLE_FORMS[form].order(_cpu().vectors.lanes)).run(inner)


@functools.cache
def _quantizer(order: tuple[int, ...]) -> Kernel:
    return Kernel(write_quantize(_cpu(), order), "quantize")


@functools.cache
def _blocks(order: tuple[int, ...]) -> Kernel:
    return Kernel(write_blocks(_cpu(), order), "blocks")


def _cpu() -> Instructions:
    cpu = instructions()
    assert cpu is not None  # no matrix fits where there are none
    return cpu
