"""Products of packed weights by kernels against torch's on the expanded ones."""

from __future__ import annotations

import pytest

pytest.importorskip("triton", reason="triton is not installed: it exists for Linux on x86-64 and ARM only")

import torch
import torch.nn.functional as F
from torch import Tensor

from models.compressed import BlockWeight, DenseWeight, LutWeight, Weight
from models.cuda.layout import Layout
from models.cuda.weight import CudaWeight, with_cuda_kernels

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
FORMS = ("lut4", "lut6", "lut8", "int4", "int8", "int8-blocks", "fp16", "bf16")
ROUNDED = 1e-3  # relative, of a row of sums whose factors are rounded to float16
EXACT = 1e-6


def random_weight(form: str, rows: int = 96, columns: int = 160, *, group: int = 32) -> Weight:
    generator = torch.Generator().manual_seed(0)
    bits = {"lut4": 4, "lut6": 6, "lut8": 8, "int4": 4}.get(form, 8)
    packed = torch.randint(0, 256, (rows, columns * bits // 8), dtype=torch.uint8, generator=generator)
    weight: Weight
    if form.startswith("lut"):
        weight = LutWeight(packed, torch.randn(rows // group, 1 << bits, generator=generator).half(), index_bits=bits)
    elif form.startswith("int"):
        blocks = 1 if form == "int8" else columns // 32
        scale = torch.rand(rows, blocks, generator=generator).half() / 10
        weight = BlockWeight(packed if bits == 4 else packed.view(torch.int8), scale)
    else:
        values = torch.randn(rows, columns, generator=generator)
        weight = DenseWeight(values.half() if form == "fp16" else values.bfloat16())
    return weight.to(DEVICE)


def random_rows(rows: int, columns: int) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(1)).to(DEVICE)


def distance(got: Tensor, wanted: Tensor) -> float:
    return float((got - wanted).norm() / wanted.norm())


@pytest.fixture(params=FORMS)
def weight(request: pytest.FixtureRequest) -> Weight:
    return random_weight(request.param)


@pytest.mark.parametrize("rows", [1, 2, 17, 130])
def test_a_product_is_that_of_the_expanded_weight(weight: Weight, rows: int) -> None:
    fast = with_cuda_kernels(weight)
    assert isinstance(fast, CudaWeight)
    x = random_rows(rows, 160)
    dense = weight.dense(torch.float32)
    limit = EXACT if rows == 1 else 8 * ROUNDED if dense.bfloat16().equal(dense) else ROUNDED
    assert distance(fast.linear(x, None), x @ dense.T) < limit


@pytest.mark.parametrize("rows", [1, 3])
def test_bias_gelu_and_what_is_added_are_those_of_torch(weight: Weight, rows: int) -> None:
    fast = with_cuda_kernels(weight)
    assert isinstance(fast, CudaWeight)
    x, bias, added = random_rows(rows, 160), random_rows(1, 96)[0], random_rows(rows, 96)
    wanted = F.gelu(F.linear(x, weight.dense(torch.float32), bias)) + added
    assert distance(fast.product(x, bias, gelu=True, added=added), wanted) < 8 * ROUNDED
    shaped = fast.product(x[None], bias, gelu=True, added=added[None])
    assert shaped.shape == (1, rows, 96)


@pytest.mark.parametrize("rows", [1, 3])
def test_what_float16_does_not_hold_is_its_largest_number(rows: int) -> None:
    weight = random_weight("lut4")
    fast = with_cuda_kernels(weight)
    assert isinstance(fast, CudaWeight)
    half = Layout(torch.float16, 1)
    x = 1e4 * random_rows(rows, 160)
    x[0, 3] = torch.nan if rows > 1 else x[0, 3]
    wanted = x @ weight.dense(torch.float32).T
    assert wanted[-1].abs().max() > 1e5
    got = fast.laid_product(fast.reads(rows).lay(x), layout=half)
    assert got.isfinite().equal(wanted.isfinite()), "what is no number stays none"
    assert distance(got[-1].float(), wanted[-1].clamp(-65504, 65504)) < ROUNDED
    assert half.lay(wanted[-1:]).abs().max() == 65504


@pytest.mark.parametrize("columns", [64, 144, 2064])
@pytest.mark.parametrize("form", ["lut4", "int4", "lut6"])
def test_columns_may_be_any_whole_number_of_units(form: str, columns: int) -> None:
    if form == "int4":
        columns = -(-columns // 32) * 32
    weight = random_weight(form, 32, columns)
    fast = with_cuda_kernels(weight)
    for rows in (1, 2):
        x = random_rows(rows, columns)
        assert distance(fast.linear(x, None), x @ weight.dense(torch.float32).T) < ROUNDED


@pytest.mark.parametrize(("rows", "group"), [(40, 8), (48, 16), (64, 64), (36, 12), (5, 1)])
def test_a_codebook_may_serve_any_number_of_rows(rows: int, group: int) -> None:
    weight = random_weight("lut4", rows, 64, group=group)
    for x in (random_rows(1, 64), random_rows(3, 64)):
        assert distance(with_cuda_kernels(weight).linear(x, None), x @ weight.dense(torch.float32).T) < ROUNDED


def test_the_same_product_has_the_same_bits_each_time(weight: Weight) -> None:
    fast = with_cuda_kernels(weight)
    for rows in (1, 4):
        x = random_rows(rows, 160)
        assert fast.linear(x, None).equal(fast.linear(x, None))


def test_picked_rows_are_the_expanded_ones(weight: Weight) -> None:
    ids = torch.tensor([[95, 0, 31], [32, 31, 7]], device=DEVICE)
    assert with_cuda_kernels(weight).rows(ids, torch.float32).equal(weight.rows(ids, torch.float32))


def test_what_no_kernel_reads_is_multiplied_by_torch() -> None:
    for other in (DenseWeight(random_rows(32, 64)), random_weight("bf16", 32, 15)):
        assert with_cuda_kernels(other) is other
