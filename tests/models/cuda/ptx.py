"""Runs the PTX that stands within Triton's kernels (models/cuda/lookup.py), on a warp."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from tests.models.cuda.machine import LANES, Block, Kernel, statements_of
from tests.models.cuda.memory import Memory

Lanes = npt.NDArray[np.uint64]


def run(text: str, operands: dict[int, Lanes], memory: npt.NDArray[np.uint32]) -> dict[int, Lanes]:
    """Run `text` on operands $n [32 lanes]; addresses are bytes of `memory`. Returns all operands as they are then."""
    held = torch.from_numpy(memory.view(np.int32))
    text = text.replace("[place]", f"[place + {held.data_ptr()}]")
    code, labels = statements_of(text)
    warp = Block(Kernel(tuple(code), labels, {}, 0, ""), Memory([held]), b"", LANES, 0, 1)
    warp.registers |= {f"${number}": value.astype(np.uint64) for number, value in operands.items()}
    for _ in warp.turns():
        pass
    return {int(name[1:]): value for name, value in warp.registers.items() if name.startswith("$")}
