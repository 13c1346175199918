"""Matrix: a stored weight on a device, as the kernels read it, and how a product with it is launched."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.compressed import BlockWeight, DenseWeight, LutWeight, Weight
from models.cuda.forms import WEIGHTS_A_UNIT
from models.cuda.layout import PLAIN, Layout
from models.cuda.machine import FUSED, hopper, interpreted, multiprocessors
from models.cuda.picked import picked_rows
from models.cuda.table import Factors, Kernels, TableMatrix, product, table_matrix
from models.cuda.tile import tile_product
from models.cuda.vector import vector_product

_WARPS = 32  # a multiprocessor, at least: fewer leave memory waiting
_COUNTERS = 1 << 10  # for the tiles of one product whose columns are summed in parts: it has few


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """[O, I] in `form`; see models/cuda/forms.py. `group` rows share a codebook, `scale_units` units a scale."""

    form: str
    shape: tuple[int, int]
    data: Tensor
    codebooks: Tensor  # float16 [O / group, entries]
    lanes: Tensor | None = None  # the same in float32, where `shfl` looks up
    planes: Tensor | None = None  # the same as low and high bytes, where `prmt` does
    group: int = 1
    scales: Tensor
    scale_units: int = 0
    counters: Tensor  # int32, zeros that every product leaves as zeros; its own, as others may run beside it
    table: TableMatrix | None = None  # multiplies a few rows where it is there

    @property
    def units(self) -> int:
        """Of a row."""
        return self.shape[1] // WEIGHTS_A_UNIT[self.form]

    def reads(self, rows: int) -> Layout:
        """How `rows` of x are to lie. Of several, tensor cores multiply 16-bit numbers."""
        if self.table is not None and self.table.takes(rows):
            return Layout(self.table.reads(rows), 1)
        if rows == 1:
            return Layout(torch.float32, WEIGHTS_A_UNIT[self.form])
        return Layout(torch.bfloat16 if self.form == "bf16" else torch.float16, 1)

    def times(
        self, x: Tensor, bias: Tensor | None, added: Tensor | None, *, gelu: bool, layout: Layout = PLAIN
    ) -> Tensor:
        """`x` [R, I], laid as `reads(R)` says -> gelu(x Wᵀ + bias) + added, [R, O], laid as `layout`.

        `bias` [O] and `added` [R, O] are plain. Only a single row may be laid by places.
        """
        if self.table is not None and self.table.takes(len(x)):
            half = torch.float16 if layout.dtype == torch.float16 else torch.float32
            return layout.lay(product(Factors(matrix=self.table, x=x, bias=bias, added=added, gelu=gelu, dtype=half)))
        if len(x) == 1:
            return self._times_vector(x, bias, added, gelu=gelu, layout=layout)
        return self._times_rows(x, bias, added, gelu=gelu, dtype=layout.dtype)

    def _times_vector(
        self, x: Tensor, bias: Tensor | None, added: Tensor | None, *, gelu: bool, layout: Layout
    ) -> Tensor:
        rows = self.shape[0]
        block_rows, block_units, warps = self._vector_blocks()
        tiles = -(-rows // block_rows)
        splits, split_units = _splits(tiles, warps, self.units, block_units, x.device)
        out = torch.empty((1, rows), dtype=layout.dtype, device=x.device)
        parts = out if splits == 1 else torch.empty((splits, rows), dtype=torch.float32, device=x.device)
        by_address = self.form == "lut8" and not interpreted()
        vector_product[(tiles, splits)](
            self.data,
            self.lanes if self.lanes is not None else self.codebooks,
            self.scales,
            x,
            bias if bias is not None else out,
            added if added is not None else out,
            out,
            parts,
            self.counters,
            rows,
            **self._constants(),
            PTX="shuffle" if self.lanes is not None else "address" if by_address else "",
            HAS_BIAS=bias is not None,
            HAS_ADDED=added is not None,
            GELU=gelu,
            OUT_PLACES=layout.places,
            SPLITS=splits,
            SPLIT_UNITS=split_units,
            BLOCK_ROWS=block_rows,
            BLOCK_UNITS=block_units,
            num_warps=warps,
            **FUSED,
        )
        return out

    def _times_rows(
        self, x: Tensor, bias: Tensor | None, added: Tensor | None, *, gelu: bool, dtype: torch.dtype
    ) -> Tensor:
        rows, x_rows = self.shape[0], len(x)
        block_x, block_out, block_units, warps, stages = self._tile_blocks(x_rows, hopper(x.device))
        grid = (-(-rows // block_out), -(-x_rows // block_x))
        splits, split_units = _splits(grid[0] * grid[1], warps, self.units, block_units, x.device)
        out = torch.empty((x_rows, rows), dtype=dtype, device=x.device)
        parts = out if splits == 1 else torch.empty((splits, x_rows, rows), dtype=torch.float32, device=x.device)
        permute = self.planes is not None
        tile_product[(*grid, splits)](
            self.data,
            self.planes if self.planes is not None else self.codebooks,
            self.scales,
            x,
            bias if bias is not None else out,
            added if added is not None else out,
            out,
            parts,
            self.counters,
            x_rows,
            rows,
            **self._constants() | ({"ENTRIES": 8} if permute else {}),
            PERMUTE=permute,
            HAS_BIAS=bias is not None,
            HAS_ADDED=added is not None,
            GELU=gelu,
            SPLITS=splits,
            SPLIT_UNITS=split_units,
            BLOCK_X=block_x,
            BLOCK_OUT=block_out,
            BLOCK_UNITS=block_units,
            num_warps=warps,
            num_stages=stages,
            **FUSED,
        )
        return out

    def picked(self, ids: Tensor) -> Tensor:
        """Rows `ids` [R] -> [R, I] float32."""
        out = torch.empty((len(ids), self.shape[1]), dtype=torch.float32, device=ids.device)
        block = 256
        picked_rows[(len(ids), -(-self.units // block))](
            self.data,
            self.codebooks,
            self.scales,
            ids,
            out,
            **self._constants(),
            BLOCK_UNITS=block,
            num_warps=2,
            **FUSED,
        )
        return out

    def _constants(self) -> dict[str, object]:
        return {
            "FORM": self.form,
            "UNITS": self.units,
            "PLACES": WEIGHTS_A_UNIT[self.form],
            "ENTRIES": self.codebooks.shape[1],
            "GROUP": self.group,
            "SCALE_UNITS": self.scale_units,
        }

    def _vector_blocks(self) -> tuple[int, int, int]:
        """Rows and units of a program's piece, warps. A power of two of units, no more than a row has."""
        if self.lanes is not None:
            return min(32, self.group), min(32, _power_of_two(self.units)), 2
        return 16, min(64, _power_of_two(self.units)), 4

    def _tile_blocks(self, x_rows: int, on_hopper: bool) -> tuple[int, int, int, int, int]:
        """Rows of x, output features and units of a program's piece, warps, stages."""
        places = WEIGHTS_A_UNIT[self.form]
        columns = 128 if x_rows <= 16 else 64  # of x, at once
        units = min(columns // places, max(16 // places, _power_of_two(self.units)))
        if x_rows <= 64:
            return max(16, _power_of_two(x_rows)), 128, units, 8, 3
        if on_hopper:  # others have fewer registers or less shared memory for it
            return 256, 128, units, 8, 4
        return 128, 128, units, 8, 3


def matrix_of(weight: Weight, kernels: Kernels | None = None) -> Matrix | None:
    """`weight` for the kernels, on the device where it lies; None for a form or shape that they do not read.

    With `kernels`, a few rows at a time are multiplied by them where they read the weight.
    """
    device = next(weight.buffers()).device
    none = torch.empty((1, 1), dtype=torch.float16, device=device)
    counters = torch.zeros(_COUNTERS, dtype=torch.int32, device=device)
    if isinstance(weight, LutWeight):
        form, codebook = f"lut{weight.index_bits}", weight.codebook
        if not _fits(form, weight.shape) or codebook.dtype != torch.float16:
            return None
        by_ptx = form == "lut4" and codebook.shape[1] == 16 and not interpreted()
        whole_warps = _is_power_of_two(weight.group_size) and weight.group_size >= 8 and weight.shape[1] >= 512
        return Matrix(
            form=form,
            shape=weight.shape,
            data=_units(weight.indices, form),
            codebooks=codebook,
            lanes=codebook.float() if by_ptx and whole_warps else None,
            planes=byte_planes(codebook) if by_ptx else None,
            group=weight.group_size,
            scales=none,
            counters=counters,
            table=table_matrix(weight, kernels) if kernels is not None else None,
        )
    if isinstance(weight, BlockWeight):
        form = "int4" if weight.values.dtype == torch.uint8 else "int8"
        if not _fits(form, weight.shape) or weight.shape[1] // weight.scale.shape[1] % WEIGHTS_A_UNIT[form]:
            return None
        return Matrix(
            form=form,
            shape=weight.shape,
            data=_units(weight.values, form),
            codebooks=none,
            scales=weight.scale,
            scale_units=weight.shape[1] // weight.scale.shape[1] // WEIGHTS_A_UNIT[form],
            counters=counters,
        )
    if isinstance(weight, DenseWeight) and weight.values.dtype in (torch.float16, torch.bfloat16):
        form = "fp16" if weight.values.dtype == torch.float16 else "bf16"
        if not _fits(form, weight.shape):
            return None
        return Matrix(
            form=form,
            shape=weight.shape,
            data=_units(weight.values, form),
            codebooks=none,
            scales=none,
            counters=counters,
        )
    return None


def byte_planes(codebook: Tensor) -> Tensor:
    """Float16 [G, 16] as [G, 8] words: the entries' 16 low bytes, then their 16 high bytes."""
    halves = codebook.contiguous().view(torch.uint8).view(len(codebook), 16, 2)
    return halves.transpose(1, 2).contiguous().view(torch.uint32).view(len(codebook), 8)


def _units(values: Tensor, form: str) -> Tensor:
    flat = values.contiguous().view(torch.uint8)
    return flat if form == "lut6" else flat.view(torch.uint32)


def _fits(form: str, shape: tuple[int, int]) -> bool:
    """Whether rows are whole units, and enough for a tensor core's 16 columns."""
    return shape[1] % WEIGHTS_A_UNIT[form] == 0 and shape[1] >= 16


def _splits(tiles: int, warps: int, units: int, block_units: int, device: torch.device) -> tuple[int, int]:
    """In how many parts the columns are summed, and the units of each: enough programs for every multiprocessor."""
    steps = -(-units // block_units)
    wanted = max(1, min(steps, _WARPS // warps * multiprocessors(device) // tiles)) if tiles <= _COUNTERS else 1
    steps_each = -(-steps // wanted)
    return -(-steps // steps_each), steps_each * block_units


def _power_of_two(number: int) -> int:
    """The least one that is not below `number`."""
    return 1 << (number - 1).bit_length()


def _is_power_of_two(number: int) -> bool:
    return number & (number - 1) == 0
