"""Few vectors times palettized matrices, by the kernel of table.cu. O rows, I columns, R vectors.

Not yet run on a card: what it computes was seen by running its PTX (tests/models/cuda/machine.py), its speed is only
reckoned (docs/decisions/025-tables-in-shared-memory.md). So nothing takes it by itself; `benchmarks.cuda` and
`benchmarks.cuda_products` measure it beside the others.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from models.compressed import LutWeight
from models.cuda.machine import multiprocessors, shared_bytes
from models.cuda.native import Function, kept_cubin

MOST_VECTORS = 32
_TABLE_BYTES = 256 * 32 * 4  # of a codebook
_HALF_ROWS = 32  # of one codebook
_WAYS = 4
_STEP_BYTES = 64  # of a row, that a warp reads at once
_RESERVED_BYTES = 1 << 10  # of shared memory, by the system for each block
_NAMED_BYTES = 80  # that the kernel declares

_LOG = logging.getLogger(__name__)

SOURCE = Path(__file__).parent / "table.cu"
"""The kernel, in CUDA C++."""


class Join(IntEnum):
    """What one launch computes."""

    ALONE = 0
    """A product."""
    STACKED = 1
    """Two, of matrices with as many columns."""
    BESIDE = 2
    """The sum of two whose matrices have as many rows."""


@dataclass(frozen=True)
class Variant:
    """How the kernel is compiled: bits of an index, for how many vectors at most, and what for.

    Up to 8 are float32 and multiplied as two float16 numbers each, which keeps 22 bits. More are float16, and a block
    has the rows of four codebooks in place of two, so that vectors are read less often.
    """

    bits: int
    vectors: int
    join: Join = Join.ALONE
    normed: bool = False  # of a single vector, which then lies whole in shared memory

    @property
    def split(self) -> bool:
        """Whether vectors are float32."""
        return self.vectors <= 8

    @property
    def set(self) -> int:
        """Units that a warp loads at once: more on their way, where registers suffice."""
        return 2 if self.vectors <= 4 else 1

    @property
    def halves(self) -> int:
        """Codebooks of a block."""
        return 2 if self.split else 4

    @property
    def threads(self) -> int:
        """Of a block."""
        return 32 * _WAYS * self.halves

    @property
    def tile_rows(self) -> int:
        """Rows of a block."""
        return _HALF_ROWS * self.halves

    @property
    def defines(self) -> list[tuple[str, int]]:
        """For the compiler."""
        return [
            ("BITS", self.bits),
            ("VECTORS", self.vectors),
            ("SPLIT", int(self.split)),
            ("HALVES", self.halves),
            ("SET", self.set),
            ("JOIN", int(self.join)),
            ("NORM", int(self.normed)),
        ]

    @property
    def least_bytes(self) -> int:
        """Of shared memory, at least: tables, and twice what of the vectors meets a set of units."""
        return self.halves * _TABLE_BYTES + 2 * self.set * self._unit_bytes

    def needs(self, columns: int) -> int:
        """Bytes of shared memory, at least, for vectors of so many `columns`."""
        if not self.normed:
            return self.least_bytes
        sets = -(-self._units(columns) // (2 * self.set))
        return self.halves * _TABLE_BYTES + 2 * sets * self.set * self._unit_bytes

    def plan(self, shapes: Sequence[tuple[int, int]], processors: int, shared_bytes: int) -> Plan:
        """Units of work, a tile's rows by a step of each way, are dealt out evenly to 512 threads a multiprocessor.

        To fewer where its shared memory does not hold so many blocks. `shapes` are those of one matrix, or of the two
        that are joined. A block may have `shared_bytes`. Raises ValueError where these are fewer than it `needs`.
        """
        needed = max(self.needs(columns) for _, columns in shapes)
        if shared_bytes < needed:
            raise ValueError(f"{self} needs {needed} bytes of shared memory, not {shared_bytes}")
        units = [self._units(columns) for _, columns in shapes]
        tiles = [-(-rows // self.tile_rows) for rows, _ in shapes]
        total = tiles[0] * sum(units) if self.join is Join.BESIDE else sum(tiles) * units[0]
        at_once = 512 // self.threads
        each = (shared_bytes + 2 * _RESERVED_BYTES) // at_once - _RESERVED_BYTES - _NAMED_BYTES
        if each < needed:
            at_once, each = 1, shared_bytes
        blocks = min(at_once * processors, total)
        tables = self.halves * _TABLE_BYTES
        wanted = max(units) if self.normed else min(max(units), -(-total // blocks))
        staged = min((each - tables) // (2 * self.set * self._unit_bytes), -(-wanted // self.set)) * self.set
        return Plan(blocks, staged, tables + 2 * staged * self._unit_bytes)

    def _units(self, columns: int) -> int:
        """Of work, that a tile of a matrix of so many `columns` is."""
        return -(-columns * self.bits // 8 // (_WAYS * _STEP_BYTES))

    @property
    def _unit_bytes(self) -> int:
        """Of the vectors that meet a unit: each as two float16 numbers, or as one."""
        return _WAYS * _STEP_BYTES * 8 // self.bits * self.vectors * (4 if self.split else 2)


@dataclass(frozen=True)
class Plan:
    """Blocks of a launch, units of vectors in half of the room that each has for them, its bytes of shared memory."""

    blocks: int
    staged: int
    shared_bytes: int


Launch = Callable[[Plan, Sequence[Tensor | None], Sequence[int], bool], None]
"""Run so many blocks on these tensors and whole numbers: the fields of table.cu's `Product` in their order.

At last, whether to begin while the launch before it ends.
"""

Kernels = Callable[[Variant, torch.device], Launch]
"""The kernel so compiled, on a device."""


@dataclass(frozen=True, kw_only=True)
class TableMatrix:
    """[O, I] as indices and codebooks, multiplied by `kernels`."""

    bits: int
    shape: tuple[int, int]
    data: Tensor  # uint8 [O, I · bits / 8]
    codebooks: Tensor  # float16 [O / group, 2^bits]
    group: int
    counters: Tensor  # int32, zeros that every product leaves as zeros; enough for two stacked matrices of this size
    kernels: Kernels

    def takes(self, vectors: int) -> bool:
        """Whether the card has room for so many."""
        return vectors <= MOST_VECTORS and _variant(self, vectors).least_bytes <= shared_bytes(self.data.device)

    def norms(self) -> bool:
        """Whether the card has room for a single vector that is normed as it is fetched."""
        return Variant(self.bits, 1, normed=True).needs(self.shape[1]) <= shared_bytes(self.data.device)

    def reads(self, vectors: int) -> torch.dtype:
        """The type of x, where it `takes` so many."""
        return torch.float32 if _variant(self, vectors).split else torch.float16


@dataclass(frozen=True, kw_only=True)
class Factors:
    """One product: x [R, I] times `matrix`, x as the matrix `reads(R)`, and what is done to it at the end.

    A float32 x is split in two float16 numbers, which keeps 22 bits; beyond 65,536 it is that.
    """

    matrix: TableMatrix
    x: Tensor
    norm: nn.LayerNorm | None = None  # of x, a single float32 vector, before it is multiplied
    bias: Tensor | None = None  # float32 [O]
    added: Tensor | None = None  # float32 [R, O]
    gelu: bool = False
    dtype: torch.dtype = torch.float32  # of the result; or float16


def product(factors: Factors) -> Tensor:
    """gelu(norm(x) Wᵀ + bias) + added, [R, O]."""
    return _launched([factors], Join.ALONE)[0]


def stacked(first: Factors, second: Factors, *, early: bool = False) -> tuple[Tensor, Tensor]:
    """Both products, in one launch, `early` as in models.cuda.early.

    Their matrices are alike in bits and columns. Both are normed, with one epsilon, or none is.
    """
    one, two = _launched([first, second], Join.STACKED, early)
    return one, two


def beside(first: Factors, second: Factors, *, early: bool = False) -> Tensor:
    """x₁ W₁ᵀ + x₂ W₂ᵀ and the first one's end, in one launch, `early` as in models.cuda.early.

    The matrices are alike in bits and rows.
    """
    return _launched([first, second], Join.BESIDE, early)[0]


def _variant(matrix: TableMatrix, vectors: int, join: Join = Join.ALONE, *, normed: bool = False) -> Variant:
    """Powers of two: as few are compiled as there are graphs of steps."""
    return Variant(matrix.bits, 1 << (vectors - 1).bit_length(), join, normed)


def _launched(sides: Sequence[Factors], join: Join, early: bool = False) -> list[Tensor]:
    """The results: of each side, or one of all."""
    first, last = sides[0], sides[-1]
    device, vectors = first.x.device, len(first.x)
    norms = first.norm, last.norm
    variant = _variant(first.matrix, vectors, join, normed=first.norm is not None)
    plan = variant.plan([side.matrix.shape for side in sides], multiprocessors(device), shared_bytes(device))
    out = [
        torch.empty((vectors, side.matrix.shape[0]), dtype=side.dtype, device=device)
        for side in (sides[:1] if join is Join.BESIDE else sides)
    ]
    parts = torch.empty((plan.blocks, 2, variant.vectors, variant.tile_rows), dtype=torch.float32, device=device)
    both = (first, last)
    first.matrix.kernels(variant, device)(
        plan,
        [
            *(side.matrix.data for side in both),
            *(side.matrix.codebooks for side in both),
            *(side.x for side in both),
            *(side.bias for side in both),
            *(side.added for side in both),
            out[0],
            out[-1],
            parts,
            (first if len(first.matrix.counters) >= len(last.matrix.counters) else last).matrix.counters,
            *(None if norm is None else norm.weight for norm in norms),
            *(None if norm is None else norm.bias for norm in norms),
        ],
        [
            *(side.matrix.shape[0] for side in both),
            *(side.matrix.shape[1] for side in both),
            *(side.matrix.group for side in both),
            *(int(side.gelu) for side in both),
            *(int(side.dtype == torch.float16) for side in both),
            vectors,
            plan.staged,
            0 if first.norm is None else _bits_of(first.norm.eps),
        ],
        early,
    )
    return out


def table_matrix(weight: LutWeight, kernels: Kernels) -> TableMatrix | None:
    """None for a weight that the kernel does not read, and where none can be compiled: other kernels then multiply."""
    rows, columns = weight.shape
    bits = weight.index_bits
    whole = columns * bits // 8 % 16 == 0 and weight.group_size % _HALF_ROWS == 0
    if bits not in (4, 8) or not whole or weight.codebook.shape[1] != 1 << bits:
        return None
    if weight.codebook.dtype != torch.float16 or not _compiles(kernels, bits, weight.indices.device):
        return None
    indices = weight.indices.contiguous()
    return TableMatrix(
        bits=bits,
        shape=(rows, columns),
        data=indices,
        codebooks=weight.codebook.contiguous(),
        group=weight.group_size,
        counters=torch.zeros(rows // _HALF_ROWS + 2, dtype=torch.int32, device=indices.device),
        kernels=kernels,
    )


@cache
def _compiles(kernels: Kernels, bits: int, device: torch.device) -> bool:
    """Where not, it is said once why: there is no compiler, or it is older than the card."""
    try:
        kernels(Variant(bits, 1), device)
    except (OSError, ValueError) as error:
        _LOG.warning("products are left to Triton's kernels, as table.cu's do not compile: %s", error)
        return False
    return True


@cache
def card_kernels(variant: Variant, device: torch.device) -> Launch:
    """Compiled for the card that `device` is, in some 0.3 s the first time. Raises as `compile_file`."""
    major, minor = torch.cuda.get_device_capability(device)
    cubin = kept_cubin(SOURCE, 10 * major + minor, variant.defines)
    function = Function(cubin, "table_product", shared_bytes(device), device)

    def launch(plan: Plan, tensors: Sequence[Tensor | None], numbers: Sequence[int], early: bool) -> None:
        function(plan.blocks, variant.threads, plan.shared_bytes, packed(tensors, numbers), early=early)

    return launch


def _bits_of(number: float) -> int:
    """Of a float32, as a whole number."""
    return int.from_bytes(struct.pack("<f", number), "little", signed=True)


def packed(tensors: Sequence[Tensor | None], numbers: Sequence[int]) -> bytes:
    """Addresses, 0 for None, and whole numbers of 32 bits as a C structure has them."""
    addresses = [0 if tensor is None else tensor.data_ptr() for tensor in tensors]
    wide, narrow = len(addresses), len(numbers)
    return struct.pack(f"<{wide}Q{narrow}i{narrow % 2 * 4}x", *addresses, *numbers)
