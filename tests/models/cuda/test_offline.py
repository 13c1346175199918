"""The kernels, their PTX included, compile for cards that are not here, keep their numbers in registers, and multiply
and add in one instruction, whatever Triton does by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("triton", reason="triton is not installed: it exists for Linux on x86-64 and ARM only")

# That a program may take (CUDA C++ Programming Guide, compute capabilities).
SHARED_BYTES = {80: 163 << 10, 89: 99 << 10, 90: 227 << 10}

# By the kernels of a step: weights and tables, and of rows their places and where their caches are.
UNWRITTEN = {"cos", "sin", "positions", "key_caches", "value_caches", "weight", "bias", "other_weight", "other_bias"}


def compiled(module: str, *arguments: str, cache: Path) -> list[dict[str, Any]]:
    """What a module of this folder prints of the kernels that it compiles."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-m", f"tests.models.cuda.{module}", *arguments],
        capture_output=True,
        text=True,
        env=environment | {"TRITON_CACHE_DIR": str(cache), "TRITON_DEFAULT_FP_FUSION": "0"},
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(("architecture", "forms"), [(80, ["lut4"]), (90, ["lut4", "lut8", "int4"])])
def test_products_compile_and_spill_nothing_that_is_repeated(
    architecture: int, forms: list[str], tmp_path: Path
) -> None:
    """A prompt's tile on Hopper, of 128 sums a thread, spills where these end, once for all columns."""
    kernels = compiled("offline", str(architecture), *forms, cache=tmp_path)
    assert len(kernels) == 3 * len(forms)
    for kernel in kernels:
        if (architecture, kernel["rows"]) == (90, 1024):
            assert kernel["spilled_in_loops"] == 0, kernel
        else:
            assert kernel["spilled_bytes"] == 0, kernel
        assert kernel["fused"], kernel
        assert kernel["shared_bytes"] <= SHARED_BYTES[architecture], kernel


@pytest.mark.parametrize(("architecture", "shapes"), [(80, ["11b"]), (90, ["7b", "11b", "rw"])])
def test_attention_compiles_spills_nothing_and_reads_keys_by_16_bytes(
    architecture: int, shapes: list[str], tmp_path: Path
) -> None:
    kernels = compiled("offline_attention", str(architecture), *shapes, cache=tmp_path)
    assert len(kernels) == 5 * len(shapes) + 1
    for kernel in kernels:
        assert kernel["spilled_bytes"] == 0, kernel
        assert kernel["fused"], kernel
        assert kernel["narrow_loads"] == 0, kernel
        if architecture < 90 or kernel["kernel"] == "_attend_prompt":
            assert kernel["early_reads"] is None, kernel
        else:
            assert set(kernel["early_reads"]) <= UNWRITTEN, kernel
        assert kernel["shared_bytes"] <= SHARED_BYTES[architecture], kernel
