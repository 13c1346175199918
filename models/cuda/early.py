"""Launches that begin while those before them end (programmatic dependent launch).

Not yet run on a card. A kernel lets its successor begin at once. Before its predecessor has ended, it writes nothing
and reads only what no kernel of a step writes: weights, and where rows are and stand. All its programs wait, so what
one kernel waited for, all that follow it have waited for. Predecessors are kernels, of the same stream: a graph knows
such edges between kernels only.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from models.cuda.machine import FUSED


def can_be_early(device: torch.device) -> bool:
    """Whether `device` is a card of compute capability 9.0. Later ones know such launches, too, but are not tried."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device)[0] == 9


def launched(early: bool) -> dict[str, bool]:
    """What a kernel that takes EARLY is launched with."""
    return {"EARLY": True, "launch_pdl": True, **FUSED} if early else {"EARLY": False, **FUSED}


@triton.jit
def let_next_begin(EARLY: tl.constexpr):
    """The first thing that such a kernel does."""
    if EARLY:
        tl.extra.cuda.gdc_launch_dependents()


@triton.jit
def wait_for_before(EARLY: tl.constexpr):
    """What the kernel before this one writes is there after this."""
    if EARLY:
        tl.extra.cuda.gdc_wait()
