"""Stored matrices of random numbers, and whose kernels multiply them: this machine's or an emulated processor's."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from models.compressed import BlockWeight, DenseWeight, LutWeight, Weight
from models.kernels import machine, matrix
from models.kernels.code import Instructions
from models.kernels.instructions import Avx2, Avx512, Neon
from models.kernels.weight import with_kernels
from tests.models.arm import ArmExpander, ArmProduct, ArmQuantizer

NEEDED = "kernels need AVX2 or 64-bit ARM"
needs_kernels = pytest.mark.skipif(not machine.supported(), reason=NEEDED)
KINDS: dict[str, Callable[[], Instructions]] = {
    "avx2": lambda: Avx2({}),
    "avx512": lambda: Avx512({"avx512f": True}),
    "arm": Neon,
}
GROUP = 4
# Relative errors that products may have.
WHOLE = 2e-4  # activations are whole numbers of 15 bits, codebooks of 16 (seen: 5e-5)
PANELS = 3e-4  # activations of 13 (seen: 2.6e-4)
DENSE = 2e-6  # float32 sums in another order
MAKERS = ("_product", "_quantizer", "_panels", "_measure", "_blocks", "_expander")


def lut(bits: int, rows: int, columns: int, group: int = GROUP) -> Weight:
    indices = torch.randint(0, 256, (rows, columns * bits // 8), dtype=torch.uint8)
    codebook = torch.randn(rows // group, 1 << bits).sort(dim=1).values.half()
    return LutWeight(indices, codebook, index_bits=bits)


def int4(rows: int, columns: int) -> Weight:
    values = torch.randint(0, 256, (rows, columns // 2), dtype=torch.uint8)
    return BlockWeight(values, (torch.rand(rows, columns // 32) + 0.1).half())


def int8(rows: int, columns: int) -> Weight:
    values = torch.randint(-128, 128, (rows, columns), dtype=torch.int8)
    return BlockWeight(values, (torch.rand(rows, 1) + 0.1).half())


def plain(dtype: torch.dtype) -> Callable[[int, int], Weight]:
    return lambda rows, columns: DenseWeight(torch.randn(rows, columns).to(dtype))


FORMS: dict[str, Callable[[int, int], Weight]] = {
    "lut4": lambda rows, columns: lut(4, rows, columns),
    "lut6": lambda rows, columns: lut(6, rows, columns),
    "lut8": lambda rows, columns: lut(8, rows, columns),
    "int4": int4,
    "int8": int8,
    "fp16": plain(torch.float16),
    "bf16": plain(torch.bfloat16),
    "fp32": plain(torch.float32),
}


def run_kernels_of(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels of a kind of processor multiply: this machine's if it is or can be one, else the emulator."""
    here = machine.instructions()
    if name == "arm" and not isinstance(here, Neon):
        makers: dict[str, Callable[..., object]] = {
            "_product": ArmProduct, "_quantizer": ArmQuantizer, "_expander": ArmExpander
        }  # fmt: skip
    elif type(here) is type(KINDS[name]()) or (name == "avx2" and isinstance(here, Avx512)):
        makers = {each: getattr(matrix, each).__wrapped__ for each in MAKERS}
    else:
        pytest.skip(f"this processor has no {'AVX-512 with VBMI' if name == 'avx512' else 'AVX2'}")
    monkeypatch.setattr(matrix, "instructions", KINDS[name])
    for each, maker in makers.items():
        monkeypatch.setattr(matrix, each, functools.cache(maker))


def made(form: str, rows: int, columns: int) -> tuple[Weight, Weight]:
    torch.manual_seed(rows + columns)
    stored = FORMS[form](rows, columns)
    return stored, with_kernels(stored)


def relative_error(got: Tensor, wanted: Tensor) -> float:
    return float((got - wanted).norm() / wanted.norm())
