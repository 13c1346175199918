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
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from triton.runtime.jit import JITFunction

from models.compressed import BlockWeight, LutWeight, Weight
from models.cuda import matrix
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


def spilled_in_loops(cubin: bytes) -> int | None:
    """Instructions that move spilled registers within what is repeated; None where nothing is."""
    code = re.findall(r"/\*([0-9a-f]{4,5})\*/\s+(.*?)\s*;", _dumped(cubin, "-sass"))
    branches = [(int(place, 16), re.search(r"\bBRA\b.*0x([0-9a-f]+)", text)) for place, text in code]
    loops = [(int(to[1], 16), place) for place, to in branches if to and int(to[1], 16) < place]
    spills = [int(place, 16) for place, text in code if re.search(r"\b(STL|LDL)\b", text)]
    return sum(any(begin <= spill <= end for begin, end in loops) for spill in spills) if loops else None


def operations_of(cubin: bytes) -> list[str]:
    """The names of the machine code's instructions, in their order: HMMA, LDS."""
    return re.findall(r"/\*[0-9a-f]{4}\*/\s+(?:@!?U?P[T0-9]\s+)?([A-Z0-9]+)", _dumped(cubin, "-sass"))


@dataclass(frozen=True)
class Scheduled:
    """An instruction of the machine code at `place` in it, with what the compiler says of its scoreboards: the one that
    counts its result until it is there, and those that have to be at 0 before it starts."""

    place: int
    text: str
    counted_by: int | None
    waits_for: frozenset[int]


def scheduled(cubin: bytes) -> list[Scheduled]:
    """The instructions in their order, of compute capability 7.0 or newer.

    NVIDIA describes the bits nowhere: Jia et al. 2018, "Dissecting the NVIDIA Volta GPU Architecture", found them.
    """
    found = []
    lines = _dumped(cubin, "-sass").splitlines()
    for line, second in pairwise(lines):
        if told := re.match(r"\s+/\*([0-9a-f]{4,5})\*/\s+(.*?)\s*;\s+/\* 0x", line):
            upper = re.search(r"/\* 0x([0-9a-f]{16}) \*/", second)
            assert upper, second
            bits = int(upper[1], 16) >> 46
            counted = bits & 7
            waits = frozenset(number for number in range(6) if bits >> 6 + number & 1)
            found.append(Scheduled(int(told[1], 16), told[2], None if counted == 7 else counted, waits))
    return found


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
    hopper = int(sys.argv[1]) == 90
    matrix.hopper = lambda device: hopper  # type: ignore[attr-defined]  # noqa: ARG005 - tensors are on the CPU
    for form, weight in weights().items():
        if form not in (sys.argv[2:] or weights()):
            continue
        fast = with_cuda_kernels(weight)
        assert isinstance(fast, CudaWeight)
        for rows in (1, 16, 1024):
            fast.product(torch.zeros(rows, HIDDEN), gelu=True)
            made = compiled[-1].metadata
            found = {"form": form, "rows": rows, "shared_bytes": made.shared, "fused": made.enable_fp_fusion}
            cubin = compiled[-1].asm["cubin"]
            print(json.dumps(found | resources(cubin) | {"spilled_in_loops": spilled_in_loops(cubin)}))  # noqa: T201


if __name__ == "__main__":
    main()
