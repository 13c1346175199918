"""Layer norms by the kernel against torch's."""

from __future__ import annotations

import pytest

pytest.importorskip("triton", reason="triton is not installed: it exists for Linux on x86-64 and ARM only")

import torch
from torch import nn

from models.cuda.layout import PLAIN, Layout
from models.cuda.norms import normalized

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@pytest.mark.parametrize("count", [1, 2])
def test_one_pass_gives_what_each_norm_gives(count: int) -> None:
    torch.manual_seed(0)
    norms = [nn.LayerNorm(96).to(DEVICE).requires_grad_(False) for _ in range(count)]
    for norm in norms:
        norm.weight.normal_()
        norm.bias.normal_()
    hidden = 30 + 5 * torch.randn(17, 96, device=DEVICE)
    for norm, out in zip(norms, normalized(hidden, norms, [PLAIN] * count), strict=True):
        torch.testing.assert_close(out, norm(hidden), rtol=1e-5, atol=2e-5)


def test_what_is_normalized_lies_as_it_is_asked_to() -> None:
    norm = nn.LayerNorm(96).to(DEVICE).requires_grad_(False)
    hidden = torch.randn(1, 96, device=DEVICE)
    layouts = [Layout(torch.float32, 8), Layout(torch.float16, 2)]
    for layout, out in zip(layouts, normalized(hidden, [norm, norm], layouts), strict=True):
        torch.testing.assert_close(out, layout.lay(norm(hidden)), rtol=1e-3, atol=1e-3)


def test_what_float16_does_not_hold_is_its_largest_number() -> None:
    norm = nn.LayerNorm(96).to(DEVICE).requires_grad_(False)
    norm.weight.fill_(1e5)
    hidden = torch.randn(2, 96, device=DEVICE)
    for out in normalized(hidden, [norm, norm], [Layout(torch.float16, 1)] * 2):
        torch.testing.assert_close(out.float(), norm(hidden).clamp(-65504, 65504), rtol=1e-3, atol=1e-3)
