"""The kernels, their PTX included, compile for cards that are not here, and keep their numbers in registers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="triton is not installed: it exists for Linux on x86-64 and ARM only")

SHARED_BYTES = {
    80: 163 << 10,
    90: 227 << 10,
}  # that a program may take, CUDA C++ Programming Guide, compute capabilities


@pytest.mark.parametrize("architecture", SHARED_BYTES)
def test_kernels_compile_and_spill_nothing(architecture: int, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.models.cuda.offline", str(architecture)],
        capture_output=True,
        text=True,
        env=environment | {"TRITON_CACHE_DIR": str(tmp_path)},
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr
    kernels = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(kernels) == 9
    for kernel in kernels:
        assert kernel["spilled_bytes"] == 0, kernel
        assert kernel["shared_bytes"] <= SHARED_BYTES[architecture], kernel
