"""Panels, on the kinds of processor that have them, against float64's product with the expanded matrix."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.compressed import BlockWeight, LutWeight, Weight
from models.kernels.weight import KernelWeight, with_kernels
from tests.models.stored import PANELS, int4, made, relative_error, run_kernels_of

LONG = 1088  # columns: two blocks and a part of one


@pytest.fixture(params=["avx2", "avx512"])
def processor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whose panels multiply: no others have them."""
    run_kernels_of(request.param, monkeypatch)
    return str(request.param)


@pytest.fixture(params=["lut4", "lut6", "lut8", "int4", "int8"])
def form(request: pytest.FixtureRequest) -> str:
    """Packed ones."""
    return str(request.param)


def in_panels(weight: Weight) -> KernelWeight:
    """Where this processor would take another way, too."""
    assert isinstance(weight, KernelWeight)
    weight.matrix.in_panels, weight.matrix.in_passes = True, 8
    return weight


def exact(stored: Weight, x: Tensor, bias: Tensor | None = None) -> Tensor:
    return F.linear(x.double(), stored.dense(torch.float64), None if bias is None else bias.double())


@pytest.mark.usefixtures("processor")
@pytest.mark.parametrize("tokens", [9, 10, 33])
@pytest.mark.parametrize(("rows", "columns"), [(4, 64), (36, 512), (20, LONG)])
def test_many_tokens_are_multiplied_by_panels(form: str, rows: int, columns: int, tokens: int) -> None:
    stored, weight = made(form, rows, columns)
    x, bias = torch.randn(tokens, columns), torch.randn(rows)
    got = in_panels(weight).linear(x, bias)
    assert got.shape == (tokens, rows)
    assert relative_error(got, exact(stored, x, bias)) < PANELS


@pytest.mark.usefixtures("processor")
def test_a_token_has_the_same_bits_whatever_is_beside_it(form: str) -> None:
    weight = in_panels(made(form, 36, LONG)[1])
    x = torch.randn(21, LONG)
    every = weight.linear(x, None)
    for first, last in ((0, 9), (5, 15), (12, 21)):
        assert torch.equal(weight.linear(x[first:last], None), every[first:last])


@pytest.mark.usefixtures("processor")
def test_panels_do_not_depend_on_threads(
    form: str, threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.kernels.matrix._THREAD_BYTES", 1)
    weight = in_panels(made(form, 100, 128)[1])
    x = torch.randn(12, 128)
    got = []
    for count in (1, 3):
        threads(count)
        got.append(weight.linear(x, None))
    assert torch.equal(*got)


@pytest.mark.usefixtures("processor")
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_largest_sums_of_a_block_do_not_overflow(form: str, sign: float) -> None:
    stored, _ = made(form, 4, 512)
    if isinstance(stored, BlockWeight):
        stored.values.fill_(-128 if form == "int8" else 0x88)  # the lowest number of each width
    else:
        assert isinstance(stored, LutWeight)
        stored.codebook.fill_(-60000.0)
    x = torch.full((9, 512), sign)
    x[1:5] += torch.rand(4, 512) * sign  # roundings of all kinds
    x[5] = 0.0
    x[5, ::64] = sign  # few that are as large as 16 bits allow
    got = in_panels(with_kernels(stored)).linear(x, None)
    assert relative_error(got, exact(stored, x)) < PANELS


@pytest.mark.usefixtures("processor")
def test_blocks_and_rows_of_other_sizes_keep_their_precision(form: str) -> None:
    stored, weight = made(form, 8, LONG)
    x = torch.randn(9, LONG)
    x[:, :512] *= 1e4
    x[0] = 0.0
    x[1] *= 1e-20
    got, wanted = in_panels(weight).linear(x, None), exact(stored, x)
    assert torch.equal(got[0], torch.zeros(8))
    for token in range(1, 9):
        assert relative_error(got[token], wanted[token]) < 2 * PANELS  # of eight numbers
    x[:, :512] = 0.0  # what is left has a step of its own
    assert relative_error(in_panels(weight).linear(x, None), exact(stored, x)) < PANELS


@pytest.mark.usefixtures("processor")
def test_scales_far_apart_are_kept_beside_the_largest() -> None:
    torch.manual_seed(1)
    stored = int4(8, 512)
    assert isinstance(stored, BlockWeight)
    stored.scale[:, ::2] *= 1e-3
    stored.scale[0] = 0.0
    x = torch.randn(9, 512)
    got, wanted = in_panels(with_kernels(stored)).linear(x, None), exact(stored, x)
    assert torch.equal(got[:, 0], torch.zeros(9))
    assert relative_error(got, wanted) < PANELS


@pytest.mark.usefixtures("processor")
def test_a_few_large_weights_leave_the_others_their_precision() -> None:
    torch.manual_seed(1)
    # Entries up to 1 of which nearly all weights take those below a thirtieth, as trained weights do.
    indices = (128 + 16 * torch.randn(16, LONG)).clamp(0, 255).round()
    indices[:, ::200] = 255
    codebook = torch.linspace(-1, 1, 256).pow(3).repeat(4, 1).half()
    stored = LutWeight(indices.to(torch.uint8), codebook, index_bits=8)
    weight = in_panels(with_kernels(stored))
    x = torch.randn(64, LONG)
    x[:, ::200] = 0.0
    in_passes = torch.cat([weight.matrix.product(x[first : first + 8]) for first in range(0, 64, 8)])
    wanted = exact(stored, x)
    assert relative_error(weight.linear(x, None), wanted) < 1.1 * relative_error(in_passes, wanted)


@pytest.mark.usefixtures("processor")
@pytest.mark.parametrize("number", [torch.nan, torch.inf, -torch.inf])
def test_what_is_no_number_makes_its_token_none_and_no_other(form: str, number: float) -> None:
    weight = in_panels(made(form, 8, LONG)[1])
    x = torch.randn(9, LONG)
    x[1, 700] = number
    got = weight.linear(x, None).isfinite()
    assert not got[1].any()
    assert got[[0, *range(2, 9)]].all()


@pytest.mark.usefixtures("processor")
def test_rows_that_make_no_whole_tiles_go_another_way() -> None:
    stored, weight = made("int4", 33, 128)
    assert isinstance(weight, KernelWeight)
    assert not weight.matrix.in_panels
    x = torch.randn(weight.matrix.in_passes + 1, 128)
    assert relative_error(weight.linear(x, None), exact(stored, x)) < PANELS
