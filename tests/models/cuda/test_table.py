"""Products by tables in shared memory: the kernel's PTX, as it is compiled, on a machine of our own."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="triton is not installed: it exists for Linux on x86-64 and ARM only")

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.compressed import LutWeight
from models.cuda.layout import Layout
from models.cuda.native import compile_file
from models.cuda.table import (
    MOST_VECTORS,
    SOURCE,
    Factors,
    Join,
    Launch,
    TableMatrix,
    Variant,
    beside,
    product,
    stacked,
    table_matrix,
)
from tests.models.cuda.machine import Block
from tests.models.cuda.offline import operations_of, resources, scheduled
from tests.models.cuda.table_kernels import ptx, run_here
from tests.models.cuda.test_offline import SHARED_BYTES

EXACT = 1e-6  # relative, of a row of sums
HALF = 1e-3  # of sums that are rounded to float16


def random_weight(bits: int, rows: int, columns: int, group: int = 32) -> LutWeight:
    generator = torch.Generator().manual_seed(0)
    packed = torch.randint(0, 256, (rows, columns * bits // 8), dtype=torch.uint8, generator=generator)
    return LutWeight(packed, torch.randn(rows // group, 1 << bits, generator=generator).half(), index_bits=bits)


def random_rows(rows: int, columns: int, seed: int = 1) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def matrix_of(weight: LutWeight, **how: object) -> TableMatrix:
    found = table_matrix(weight, partial(run_here, **how))  # type: ignore[arg-type]
    assert found is not None
    return found


def random_x(matrix: TableMatrix, vectors: int, seed: int = 1) -> Tensor:
    return random_rows(vectors, matrix.shape[1], seed).to(matrix.reads(vectors))


def wanted_of(weight: LutWeight, x: Tensor) -> Tensor:
    """float64."""
    return x.double() @ weight.dense(torch.float64).T


def distance(got: Tensor, wanted: Tensor) -> float:
    return float((got - wanted).norm() / wanted.norm())


@pytest.fixture(autouse=True)
def few_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a block's work begins and ends within tiles, as at full size."""
    monkeypatch.setattr("models.cuda.table.multiprocessors", lambda _: 2)


@pytest.mark.parametrize("vectors", [1, 5, 12, MOST_VECTORS])
@pytest.mark.parametrize(
    ("bits", "rows", "columns", "group"),
    [(4, 64, 32, 32), (4, 96, 1120, 32), (4, 320, 2272, 64), (8, 64, 16, 32), (8, 160, 1040, 32), (8, 128, 256, 128)],
)
def test_a_product_is_that_of_the_expanded_weight(bits: int, rows: int, columns: int, group: int, vectors: int) -> None:
    weight = random_weight(bits, rows, columns, group)
    matrix = matrix_of(weight)
    x = random_x(matrix, vectors)
    assert distance(product(Factors(matrix=matrix, x=x)), wanted_of(weight, x)) < EXACT
    assert not matrix.counters.any()


def test_numbers_of_any_size_keep_22_bits() -> None:
    weight = random_weight(4, 64, 512)
    for exponents in (torch.linspace(-2, 4, 512), torch.tensor(-4)):
        x = random_rows(1, 512) * 10.0**exponents
        assert distance(product(Factors(matrix=matrix_of(weight), x=x)), wanted_of(weight, x)) < EXACT


@pytest.mark.parametrize("vectors", [2, 16])
def test_what_float16_does_not_hold_is_its_largest_number(vectors: int) -> None:
    weight = random_weight(4, 64, 512)
    matrix = matrix_of(weight)
    layout = Layout(matrix.reads(vectors), 1)
    x = 4e4 * random_rows(vectors, 512)
    x[1, 3] = torch.nan
    got = product(Factors(matrix=matrix, x=layout.lay(x), dtype=torch.float16))
    wanted = wanted_of(weight, x.clamp(-65536, 65536) if vectors == 2 else layout.lay(x).float())
    assert wanted[0].abs().max() > 1e6
    assert distance(got[0].double(), wanted[0].clamp(-65504, 65504)) < HALF
    assert got[1].isnan().all(), "what is no number stays none"


@pytest.mark.parametrize(("vectors", "columns"), [(3, 480), (3, 2080), (16, 2080)])
def test_bias_gelu_and_what_is_added_are_those_of_torch(vectors: int, columns: int) -> None:
    weight = random_weight(4, 192, columns)
    matrix = matrix_of(weight)
    bias, added, x = random_rows(1, 192)[0], random_rows(vectors, 192), random_x(matrix, vectors)
    wanted = F.gelu(wanted_of(weight, x) + bias) + added
    factors = Factors(matrix=matrix, x=x, bias=bias, added=added, gelu=True)
    assert distance(product(factors), wanted) < EXACT
    half = product(replace(factors, dtype=torch.float16))
    assert half.dtype == torch.float16
    assert distance(half, wanted) < HALF


@pytest.mark.parametrize("vectors", [2, 16])
@pytest.mark.parametrize("rows", [(96, 416), (416, 96), (64, 64)])
def test_stacked_products_are_both_of_them(rows: tuple[int, int], vectors: int) -> None:
    weights = [random_weight(4, count, 1120) for count in rows]
    matrices = [matrix_of(weight) for weight in weights]
    xs = [random_x(matrix, vectors, seed) for seed, matrix in enumerate(matrices)]
    bias, added = random_rows(1, rows[1])[0], random_rows(vectors, rows[0])
    first, second = stacked(
        Factors(matrix=matrices[0], x=xs[0], added=added),
        Factors(matrix=matrices[1], x=xs[1], bias=bias, gelu=True, dtype=torch.float16),
    )
    assert distance(first, wanted_of(weights[0], xs[0]) + added) < EXACT
    assert distance(second, F.gelu(wanted_of(weights[1], xs[1]) + bias)) < HALF
    assert not any(matrix.counters.any() for matrix in matrices)


def random_norms(columns: int, count: int) -> list[nn.LayerNorm]:
    norms = [nn.LayerNorm(columns).requires_grad_(False) for _ in range(count)]
    for seed, norm in enumerate(norms):
        norm.weight.copy_(1 + random_rows(1, columns, 2 * seed)[0])
        norm.bias.copy_(random_rows(1, columns, 2 * seed + 1)[0])
    return norms


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(("bits", "columns"), [(4, 32), (4, 2080), (8, 1040)])
def test_a_vector_is_normed_as_by_torch_before_it_is_multiplied(bits: int, columns: int, count: int) -> None:
    weights = [random_weight(bits, rows, columns) for rows in (64, 96)]
    norms = random_norms(columns, count)
    hidden = 3 + 5 * random_rows(1, columns)
    for seed in (None, 0):
        one, two = (matrix_of(weight, scattered=seed) for weight in weights)
        assert one.norms()
        got = stacked(
            Factors(matrix=one, x=hidden, norm=norms[0]), Factors(matrix=two, x=hidden, norm=norms[-1], gelu=True)
        )
        if seed is None:
            first, second = got
    normal = [norm.double()(hidden.double()) for norm in norms]
    assert distance(first, wanted_of(weights[0], normal[0])) < EXACT
    assert distance(second, F.gelu(wanted_of(weights[1], normal[-1]))) < EXACT
    assert got[0].equal(first), "the same bits in whatever order warps run"
    assert got[1].equal(second)


def test_a_vector_that_shared_memory_does_not_hold_is_normed_by_others(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = matrix_of(random_weight(4, 64, 8192))
    assert matrix.norms()
    monkeypatch.setattr("models.cuda.table.shared_bytes", lambda _: 90 << 10)
    assert matrix.takes(1)
    assert not matrix.norms()


@pytest.mark.parametrize("vectors", [2, 16])
@pytest.mark.parametrize("columns", [(1120, 4512), (4512, 1120), (32, 32)])
def test_products_beside_each_other_are_their_sum(columns: tuple[int, int], vectors: int) -> None:
    weights = [random_weight(4, 160, count) for count in columns]
    matrices = [matrix_of(weight) for weight in weights]
    xs = [random_x(matrix, vectors, seed) for seed, matrix in enumerate(matrices)]
    bias, added = random_rows(1, 160)[0], random_rows(vectors, 160)
    got = beside(Factors(matrix=matrices[0], x=xs[0], bias=bias, added=added), Factors(matrix=matrices[1], x=xs[1]))
    assert distance(got, wanted_of(weights[0], xs[0]) + wanted_of(weights[1], xs[1]) + bias + added) < EXACT
    assert not any(matrix.counters.any() for matrix in matrices)


@pytest.mark.parametrize(
    ("bits", "rows", "columns", "vectors", "kilobytes"),
    [
        (4, 192, 1632, 2, 226),
        (4, 192, 1632, 2, 80),
        (4, 320, 480, 2, 226),
        (8, 128, 816, 2, 226),
        (4, 384, 800, 32, 226),
    ],
)
def test_the_bits_are_the_same_in_whatever_order_blocks_and_warps_run(
    bits: int, rows: int, columns: int, vectors: int, kilobytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """80 KiB hold twice two units of two vectors beside the tables, so that they are staged piece by piece."""
    monkeypatch.setattr("models.cuda.table.shared_bytes", lambda _: kilobytes << 10)
    weight = random_weight(bits, rows, columns)
    x = random_x(matrix_of(weight), vectors)
    wanted = product(Factors(matrix=matrix_of(weight), x=x))
    for seed in range(2):
        assert product(Factors(matrix=matrix_of(weight, scattered=seed), x=x)).equal(wanted)


def test_so_are_those_of_joined_products() -> None:
    weights = [random_weight(4, 192, columns) for columns in (480, 1632)]
    xs = [random_rows(1, weight.shape[1]) for weight in weights]

    def computed(seed: int | None) -> Tensor:
        one, two = (
            Factors(matrix=matrix_of(weight, scattered=seed), x=x) for weight, x in zip(weights, xs, strict=True)
        )
        return beside(one, two)

    assert computed(0).equal(computed(None))


@pytest.mark.parametrize(("bits", "vectors"), [(4, 1), (8, 1), (4, 4), (8, 8), (4, 16), (8, 32)])
def test_no_lane_waits_for_another_one_s_bank(bits: int, vectors: int) -> None:
    blocks: list[Block] = []
    matrix = matrix_of(random_weight(bits, 128, 1024), watch=blocks.append)
    product(Factors(matrix=matrix, x=random_x(matrix, vectors)))
    lookups = 128 * 1024 * bits // 8 // 32
    assert sum(block.loads for block in blocks) >= lookups
    assert sum(block.waits for block in blocks) == 0


@pytest.mark.parametrize("processors", [1, 28, 108, 132])
@pytest.mark.parametrize(
    ("vectors", "kilobytes"), [(1, 226), (MOST_VECTORS, 226), (1, 162), (8, 162), (1, 98), (8, 98)]
)
@pytest.mark.parametrize(
    ("join", "shapes"),
    [
        (Join.ALONE, [(64, 32)]),
        (Join.ALONE, [(32768, 8192)]),
        (Join.STACKED, [(4672, 4544), (18176, 4544)]),
        (Join.BESIDE, [(4544, 4544), (4544, 18176)]),
    ],
)
def test_all_blocks_of_a_plan_fit_the_card_at_once(
    join: Join, shapes: list[tuple[int, int]], vectors: int, kilobytes: int, processors: int
) -> None:
    variant = Variant(4, vectors, join)
    plan = variant.plan(shapes, processors, kilobytes << 10)
    assert plan.blocks >= 1
    assert plan.staged >= 1
    at_once = -(-plan.blocks // processors)
    reserved, held = 1 << 10, 80  # by the system, and beside what is asked for
    assert at_once * variant.threads <= 512
    assert at_once * (plan.shared_bytes + reserved + held) <= (kilobytes + 2) << 10
    if shapes[0][0] > 64 and (kilobytes == 226 or (vectors, kilobytes) == (1, 162)):
        assert plan.blocks == 512 // variant.threads * processors


@pytest.mark.parametrize("width", [4544, 8192])
def test_a_vector_that_is_to_be_normed_lies_whole_beside_the_tables_of_two_blocks(width: int) -> None:
    plan = Variant(4, 1, Join.STACKED, normed=True).plan([(4672, width), (4 * width, width)], 132, 226 << 10)
    assert plan.blocks == 2 * 132
    assert 2 * plan.staged * 512 >= width
    assert 2 * (plan.shared_bytes + (1 << 10) + 80) <= 228 << 10


@pytest.mark.parametrize(("shared", "takes"), [(226, (1, 4, 8, 16, 32)), (162, (1, 4, 8, 16)), (98, (1, 4, 8))])
def test_cards_with_less_shared_memory_take_fewer_vectors(
    shared: int, takes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.cuda.table.shared_bytes", lambda _: shared << 10)
    weight = random_weight(4, 64, 1056)
    matrix = matrix_of(weight)
    assert tuple(vectors for vectors in (1, 4, 8, 16, 32, 33) if matrix.takes(vectors)) == takes
    for vectors in takes:
        assert Variant(4, vectors).plan([(18176, 4544)], 108, shared << 10).shared_bytes <= shared << 10
    x = random_rows(8, 1056)
    assert distance(product(Factors(matrix=matrix, x=x)), wanted_of(weight, x)) < EXACT


@pytest.mark.parametrize("architecture", [80, 89, 90])
@pytest.mark.parametrize("join", Join)
def test_the_kernel_compiles_for_cards_and_loops_in_registers(join: Join, architecture: int) -> None:
    variants = [Variant(bits, vectors, join) for bits, vectors in [(4, 1), (4, 8), (4, 16), (4, 32), (8, 1), (8, 32)]]
    for variant in variants + [Variant(bits, 1, join, normed=True) for bits in (4, 8) if join is Join.STACKED]:
        if variant.least_bytes > SHARED_BYTES[architecture]:
            continue
        ptx(variant)  # skips where the compiler is not there
        cubin = compile_file(SOURCE, architecture, variant.defines).cubin
        assert resources(cubin)["registers"] <= 128, "512 threads share 65,536"
        operations = operations_of(cubin)
        products = [number for number, operation in enumerate(operations) if operation == "HMMA"]
        assert {"LDL", "STL"}.isdisjoint(operations[products[0] : products[-1]]), "spilled where it multiplies"


@pytest.mark.parametrize(
    "variant",
    [
        *(Variant(bits, vectors, join) for join in Join for bits, vectors in [(4, 1), (4, 4), (8, 1)]),
        *(Variant(bits, 1, Join.STACKED, normed=True) for bits in (4, 8)),
    ],
)
def test_no_warp_waits_for_weights_that_it_has_just_asked_for(variant: Variant) -> None:
    """A scoreboard counts: a wait for the older of two loads that share one is a wait for both."""
    ptx(variant)  # skips where the compiler is not there
    code = scheduled(compile_file(SOURCE, 90, variant.defines).cubin)
    products = [number for number, one in enumerate(code) if one.text.startswith("HMMA")]
    loads = [number for number, one in enumerate(code) if ".NA." in one.text]  # not kept in L1: weights
    within = [number for number in loads if products[0] - 200 < number < products[-1]]
    halves = [within[: len(within) // 2], within[len(within) // 2 :]]
    assert [len(half) for half in halves] == [8, 8]
    for first, *_, last in halves:
        counting = {code[number].counted_by for number in (first, last)}
        assert len(counting) == 1
        waiting = [number for number in range(first, last + 100) if code[number].waits_for & counting]
        assert not waiting, code[waiting[0]]


def test_matrices_are_left_to_other_kernels_where_the_compiler_is_missing_or_older_than_the_card(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ptx(Variant(4, 1))  # skips where the compiler is not there

    def unknown(variant: Variant, _device: torch.device) -> Launch:
        compile_file(SOURCE, 45, variant.defines)  # an architecture that there never was
        raise AssertionError

    def missing(_variant: Variant, _device: torch.device) -> Launch:
        raise OSError("NVRTC is not installed")

    weight = random_weight(4, 64, 32)
    for kernels in (unknown, unknown, missing):
        assert table_matrix(weight, kernels) is None
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "nvrtc: error: invalid value for --gpu-architecture (-arch)",
        "NVRTC is not installed",
    ]


def test_a_wrong_source_tells_the_compiler_s_words(tmp_path: Path) -> None:
    ptx(Variant(4, 1))
    (tmp_path / "wrong.cu").write_text("__global__ void k() { undefined_name(); }")
    with pytest.raises(ValueError, match=r"identifier .* is undefined"):
        compile_file(tmp_path / "wrong.cu", 90, [])


@pytest.mark.parametrize(
    ("bits", "rows", "columns", "group"), [(6, 64, 64, 32), (4, 64, 48, 32), (4, 48, 64, 16), (4, 36, 64, 12)]
)
def test_what_the_kernel_does_not_read_is_left_to_others(bits: int, rows: int, columns: int, group: int) -> None:
    assert table_matrix(random_weight(bits, rows, columns, group), run_here) is None
