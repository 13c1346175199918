"""Compile the product kernels as they are launched at Falcon-7B's width, for a card that is not here: what they take.

    python -m tests.models.cuda.offline 90 [lut4 lut8 int4]

One JSON object a line: form, rows, registers and bytes of spilled registers a thread, bytes of shared memory. Run in a
process of its own: here Triton must not interpret, and it is told of a driver that is none.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from triton.runtime.jit import JITFunction

from models.compressed import BlockWeight, LutWeight, Weight
from models.cuda.weight import CudaWeight, with_cuda_kernels

HIDDEN = 4544
CUOBJDUMP = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"


class AbsentCard:
    """What Triton asks a driver when it compiles and does not launch."""

    def __init__(self, architecture: int) -> None:
        self._architecture = architecture

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", self._architecture, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, _device: int) -> int:
        return 0


def resources(cubin: bytes) -> dict[str, int]:
    told = _dumped(cubin, "-res-usage")
    found = re.search(r"REG:(\d+) STACK:(\d+)", told)
    assert found, told
    return {"registers": int(found[1]), "spilled_bytes": int(found[2])}


def operations_of(cubin: bytes) -> list[str]:
    """The names of the machine code's instructions, in their order: HMMA, LDS."""
    return re.findall(r"/\*[0-9a-f]{4}\*/\s+(?:@!?U?P[T0-9]\s+)?([A-Z0-9]+)", _dumped(cubin, "-sass"))


def _dumped(cubin: bytes, what: str) -> str:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "kernel.cubin"
        file.write_bytes(cubin)
        return subprocess.run([CUOBJDUMP, what, file], capture_output=True, text=True, check=True).stdout


def weights() -> dict[str, Weight]:
    return {
        "lut4": LutWeight(
            torch.zeros((HIDDEN, HIDDEN // 2), dtype=torch.uint8),
            torch.zeros(HIDDEN // 32, 16, dtype=torch.float16),
            index_bits=4,
        ),
        "lut8": LutWeight(
            torch.zeros((HIDDEN, HIDDEN), dtype=torch.uint8),
            torch.zeros(HIDDEN // 32, 256, dtype=torch.float16),
            index_bits=8,
        ),
        "int4": BlockWeight(
            torch.zeros((HIDDEN, HIDDEN // 2), dtype=torch.uint8),
            torch.zeros(HIDDEN, HIDDEN // 32, dtype=torch.float16),
        ),
    }


def main() -> None:
    driver.set_active(AbsentCard(int(sys.argv[1])))
    compiled: list[Any] = []
    run = JITFunction.run

    def compile_only(kernel: Any, *arguments: Any, **named: Any) -> Any:
        compiled.append(run(kernel, *arguments, **named | {"warmup": True}))

    JITFunction.run = compile_only
    for form, weight in weights().items():
        if form not in (sys.argv[2:] or weights()):
            continue
        fast = with_cuda_kernels(weight)
        assert isinstance(fast, CudaWeight)
        for rows in (1, 16, 1024):
            fast.product(torch.zeros(rows, HIDDEN), gelu=True)
            found = {"form": form, "rows": rows, "shared_bytes": compiled[-1].metadata.shared}
            print(json.dumps(found | resources(compiled[-1].asm["cubin"])))  # noqa: T201


if __name__ == "__main__":
    main()
