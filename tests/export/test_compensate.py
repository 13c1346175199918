"""Compensated rounding against GPTQ written out plainly, and what it is for: a smaller error of the product."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from export import compensate
from export.compensate import assign_compensated, inverse_factor

ROWS, COLUMNS, GROUP, ENTRIES = 64, 96, 32, 16


def problem(seed: int = 0) -> tuple[torch.Tensor, np.ndarray, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(ROWS, COLUMNS, generator=generator)
    mixing = torch.randn(COLUMNS, COLUMNS, generator=generator) / 4 + torch.eye(COLUMNS)
    inputs = torch.randn(500, COLUMNS, generator=generator) @ mixing
    codebook = torch.randn(ROWS // GROUP, ENTRIES, generator=generator).sort(dim=1).values.half()
    return weight, codebook.numpy(), inputs.half()


def plain_gptq(weight: torch.Tensor, codebook: np.ndarray, inputs: torch.Tensor) -> np.ndarray:
    """Frantar et al. 2022, algorithm 1, a column at a time in float64, with the inverse Hessian updated as written."""
    x = inputs.double()
    hessian = x.T @ x / len(x)
    hessian += compensate._DAMPING * hessian.diagonal().mean() * torch.eye(COLUMNS)
    inverse = torch.linalg.inv(hessian)
    table = torch.from_numpy(codebook.astype(np.float64)).repeat_interleave(GROUP, 0)
    left = weight.double().clone()
    out = np.empty(weight.shape, np.uint8)
    for column in range(COLUMNS):
        nearest = (left[:, column, None] - table).abs().argmin(1)
        error = (left[:, column] - table.gather(1, nearest[:, None])[:, 0]) / inverse[column, column]
        left -= error[:, None] * inverse[column]
        inverse = inverse - torch.outer(inverse[:, column], inverse[column]) / inverse[column, column]
        out[:, column] = nearest.numpy()
    return out


def assigned(weight: torch.Tensor, codebook: np.ndarray, inputs: torch.Tensor, threads: int = 1) -> np.ndarray:
    out = np.zeros(weight.shape, np.uint8)
    assign_compensated(weight, codebook, inputs, out, threads=threads)
    return out


def dense(indices: np.ndarray, codebook: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.take_along_axis(codebook.repeat(GROUP, 0), indices.astype(int), 1)).float()


def nearest(weight: torch.Tensor, codebook: np.ndarray) -> np.ndarray:
    table = codebook.repeat(GROUP, 0).astype(np.float32)
    found: np.ndarray = np.abs(weight.numpy()[:, :, None] - table[:, None, :]).argmin(2)
    return found


def test_it_is_gptq() -> None:
    weight, codebook, inputs = problem()
    ours, theirs = assigned(weight, codebook, inputs), plain_gptq(weight, codebook, inputs)
    # Float32 decides a few ties otherwise, and what follows in such a row differs with it.
    assert (ours == theirs).mean() > 0.97


@pytest.mark.parametrize("block", [7, 32, 96])
def test_blocks_change_nothing_but_rounding(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    weight, codebook, inputs = problem()
    whole = assigned(weight, codebook, inputs)
    monkeypatch.setattr(compensate, "_BLOCK", block)
    assert (assigned(weight, codebook, inputs) == whole).mean() > 0.97


def test_the_product_errs_less_than_with_the_nearest_entries() -> None:
    for seed in range(5):
        weight, codebook, inputs = problem(seed)
        x = inputs.float()
        plain = ((weight - dense(nearest(weight, codebook), codebook)) @ x.T).square().sum()
        ours = ((weight - dense(assigned(weight, codebook, inputs), codebook)) @ x.T).square().sum()
        assert ours < 0.7 * plain


def test_unrelated_inputs_take_the_nearest_entries() -> None:
    weight, codebook, _ = problem()
    assert np.array_equal(assigned(weight, codebook, torch.eye(COLUMNS).half()), nearest(weight, codebook))


def test_threads_and_spans_do_not_change_the_shape_of_things(monkeypatch: pytest.MonkeyPatch) -> None:
    weight, codebook, inputs = problem()
    assert np.array_equal(assigned(weight, codebook, inputs, threads=3), assigned(weight, codebook, inputs))
    monkeypatch.setattr(compensate, "SPAN", 40)  # 40, 40 and 16 columns
    cut = assigned(weight, codebook, inputs)
    monkeypatch.setattr(compensate, "SPAN", 4608)
    first = assigned(weight[:, :40].contiguous(), codebook, inputs[:, :40].contiguous())
    assert np.array_equal(cut[:, :40], first)


def test_the_factor_does_not_depend_on_torchs_threads() -> None:
    inputs = torch.randn(500, 320, generator=torch.Generator().manual_seed(0))
    before = torch.get_num_threads()
    factors = []
    for threads in (1, 2, 4):
        torch.set_num_threads(threads)
        factors.append(inverse_factor(inputs))
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    assert torch.equal(factors[0], factors[1])
    assert torch.equal(factors[0], factors[2])


def test_inputs_that_never_differ_are_no_obstacle() -> None:
    upper = inverse_factor(torch.ones(10, 50))
    assert torch.isfinite(upper).all()
    assert torch.isfinite(inverse_factor(torch.zeros(10, 50))).all()


def test_progress_counts_each_weight_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compensate, "SPAN", 40)
    monkeypatch.setattr(compensate, "_ROWS", GROUP)
    weight, codebook, inputs = problem()
    steps: list[int] = []
    assign_compensated(weight, codebook, inputs, np.zeros(weight.shape, np.uint8), progress=steps.append)
    assert sum(steps) == weight.numel()
    assert len(steps) == 3 * ROWS // GROUP
