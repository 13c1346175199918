"""Products by tables in shared memory: the kernel's PTX, as it is compiled, on a machine of our own."""

from __future__ import annotations

from functools import partial

import pytest

pytest.importorskip("triton", reason="triton is not installed: it exists for Linux on x86-64 and ARM only")

import torch
import torch.nn.functional as F
from torch import Tensor

from models.compressed import LutWeight
from models.cuda.native import compile_source
from models.cuda.table import MOST_VECTORS, TableProduct, Variant, source, table_product
from tests.models.cuda.machine import Block
from tests.models.cuda.offline import resources
from tests.models.cuda.table_kernels import ptx, run_here
from tests.models.cuda.test_offline import SHARED_BYTES

EXACT = 1e-6  # relative, of a row of sums
HALF = 1e-3  # of sums that are rounded to float16


def random_weight(bits: int, rows: int, columns: int, group: int = 32) -> LutWeight:
    generator = torch.Generator().manual_seed(0)
    packed = torch.randint(0, 256, (rows, columns * bits // 8), dtype=torch.uint8, generator=generator)
    return LutWeight(packed, torch.randn(rows // group, 1 << bits, generator=generator).half(), index_bits=bits)


def random_rows(rows: int, columns: int) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(1))


def product_of(weight: LutWeight, **how: object) -> TableProduct:
    found = table_product(weight, partial(run_here, **how))  # type: ignore[arg-type]
    assert found is not None
    return found


def distance(got: Tensor, wanted: Tensor) -> float:
    return float((got - wanted).norm() / wanted.norm())


@pytest.fixture(autouse=True)
def few_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a block's work begins and ends within tiles, as at full size."""
    monkeypatch.setattr("models.cuda.table.multiprocessors", lambda _: 2)


@pytest.mark.parametrize("vectors", [1, 2, 5, 8, 12, MOST_VECTORS])
@pytest.mark.parametrize(
    ("bits", "rows", "columns", "group"),
    [(4, 64, 32, 32), (4, 96, 1120, 32), (4, 320, 2272, 64), (8, 64, 16, 32), (8, 160, 1040, 32), (8, 128, 256, 128)],
)
def test_a_product_is_that_of_the_expanded_weight(bits: int, rows: int, columns: int, group: int, vectors: int) -> None:
    weight = random_weight(bits, rows, columns, group)
    product = product_of(weight)
    x = random_rows(vectors, columns).to(product.reads(vectors))
    wanted = x.double() @ weight.dense(torch.float64).T
    assert distance(product.times(x, None, None, gelu=False), wanted) < EXACT
    assert not product.counters.any()


def test_numbers_of_any_size_keep_22_bits() -> None:
    weight = random_weight(4, 64, 512)
    x = random_rows(1, 512) * 10.0 ** torch.linspace(-2, 4, 512)
    wanted = x.double() @ weight.dense(torch.float64).T
    assert distance(product_of(weight).times(x, None, None, gelu=False), wanted) < EXACT


@pytest.mark.parametrize(("vectors", "columns"), [(3, 480), (3, 2080), (16, 2080)])
def test_bias_gelu_and_what_is_added_are_those_of_torch(vectors: int, columns: int) -> None:
    weight = random_weight(4, 192, columns)
    product = product_of(weight)
    bias, added = random_rows(1, 192)[0], random_rows(vectors, 192)
    x = random_rows(vectors, columns).to(product.reads(vectors))
    wanted = F.gelu(F.linear(x.double(), weight.dense(torch.float64), bias.double())) + added
    assert distance(product.times(x, bias, added, gelu=True), wanted) < EXACT
    half = product.times(x, bias, added, gelu=True, dtype=torch.float16)
    assert half.dtype == torch.float16
    assert distance(half, wanted) < HALF


@pytest.mark.parametrize(
    ("bits", "rows", "columns", "vectors"), [(4, 192, 1632, 2), (4, 320, 480, 2), (8, 128, 816, 2), (4, 384, 800, 32)]
)
def test_the_bits_are_the_same_in_whatever_order_blocks_and_warps_run(
    bits: int, rows: int, columns: int, vectors: int
) -> None:
    weight = random_weight(bits, rows, columns)
    x = random_rows(vectors, columns).to(product_of(weight).reads(vectors))
    wanted = product_of(weight).times(x, None, None, gelu=False)
    for seed in range(2):
        assert product_of(weight, scattered=seed).times(x, None, None, gelu=False).equal(wanted)


@pytest.mark.parametrize(("bits", "vectors"), [(4, 1), (8, 1), (4, 16)])
def test_no_lookup_waits_for_another(bits: int, vectors: int) -> None:
    blocks: list[Block] = []
    weight = random_weight(bits, 128, 1024)
    product = product_of(weight, watch=blocks.append)
    product.times(random_rows(vectors, 1024).to(product.reads(vectors)), None, None, gelu=False)
    lookups = 128 * 1024 * bits // 8 // 32
    assert sum(block.loads for block in blocks) >= lookups
    assert sum(block.waits for block in blocks) == 0


@pytest.mark.parametrize("processors", [1, 28, 108, 132])
@pytest.mark.parametrize("vectors", [1, MOST_VECTORS])
@pytest.mark.parametrize("shape", [(64, 32), (4672, 4544), (18176, 4544), (4544, 18176), (32768, 8192)])
def test_a_plan_fits_the_card(shape: tuple[int, int], vectors: int, processors: int) -> None:
    variant = Variant(4, vectors)
    plan = variant.plan(shape, processors, 227 << 10)
    assert 1 <= plan.blocks <= 512 // variant.threads * processors
    assert plan.staged >= 1
    reserved, held = 1 << 10, 16  # by the system, and beside what is asked for
    assert 512 // variant.threads * (plan.shared_bytes + reserved + held) <= 228 << 10


@pytest.mark.parametrize(("shared", "takes"), [(227, (1, 4, 8, 16, 32)), (163, (1, 4, 8, 16)), (99, (1, 4, 8))])
def test_cards_with_less_shared_memory_take_fewer_vectors(
    shared: int, takes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.cuda.table.shared_bytes", lambda _: shared << 10)
    weight = random_weight(4, 64, 1056)
    product = product_of(weight)
    assert tuple(vectors for vectors in (1, 4, 8, 16, 32, 33) if product.takes(vectors)) == takes
    for vectors in takes:
        assert Variant(4, vectors).plan((18176, 4544), 108, shared << 10).shared_bytes <= shared << 10
    x = random_rows(8, 1056)
    wanted = x.double() @ weight.dense(torch.float64).T
    assert distance(product.times(x, None, None, gelu=False), wanted) < EXACT


@pytest.mark.parametrize("architecture", [80, 89, 90])
def test_the_kernel_compiles_for_cards_and_spills_nothing(architecture: int) -> None:
    for bits in (4, 8):
        for vectors in (1, 2, 4, 8, 16, 32):
            variant = Variant(bits, vectors)
            if variant.least_bytes > SHARED_BYTES[architecture]:
                continue
            ptx(variant)  # skips where the compiler is not there
            found = resources(compile_source(source(), architecture, variant.defines).cubin)
            assert found["spilled_bytes"] == 0, variant
            assert found["registers"] <= 128, "512 threads share 65,536"


def test_a_wrong_source_tells_the_compiler_s_words() -> None:
    ptx(Variant(4, 1))
    with pytest.raises(ValueError, match=r"identifier .* is undefined"):
        compile_source("__global__ void k() { undefined_name(); }", 90, [])


@pytest.mark.parametrize(
    ("bits", "rows", "columns", "group"), [(6, 64, 64, 32), (4, 64, 48, 32), (4, 48, 64, 16), (4, 36, 64, 12)]
)
def test_what_the_kernel_does_not_read_is_left_to_others(bits: int, rows: int, columns: int, group: int) -> None:
    assert table_product(random_weight(bits, rows, columns, group), run_here) is None
