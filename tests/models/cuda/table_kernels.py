"""The kernel of models/cuda/table.cu, run by a machine of our own in place of a card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from models.cuda.native import compile_file
from models.cuda.table import SOURCE, Launch, Plan, Variant, packed
from tests.models.cuda.machine import Block, parse
from tests.models.cuda.memory import Memory

Watch = Callable[[Block], object]
ENDED = object()


@cache
def ptx(variant: Variant) -> str:
    """For compute capability 9.0."""
    try:
        return compile_file(SOURCE, 90, variant.defines).ptx
    except OSError as error:
        pytest.skip(f"{error}: it exists for Linux and Windows only")


def run_here(
    variant: Variant, _device: torch.device, *, scattered: int | None = None, watch: Watch = lambda _: None
) -> Launch:
    """`scattered`: warps of all blocks in an order drawn from that seed; else block after block, its warps together."""

    def launch(plan: Plan, tensors: Sequence[Tensor | None], numbers: Sequence[int], _early: bool) -> None:
        draw = np.random.default_rng(scattered)
        memory = Memory([tensor for tensor in tensors if tensor is not None], once=tensors[10:12])
        unwritten = [*tensors[:4], *tensors[14:]]  # weights, codebooks and norms
        early = Memory([tensor for tensor in unwritten if tensor is not None])
        kernel = parse(ptx(variant), plan.shared_bytes)
        for fresh in tensors[10:13]:  # both results and the parts: memory of before, whatever it holds
            assert fresh is not None
            fresh.fill_(torch.nan)
        going = []
        for number in range(plan.blocks):
            order = tuple(draw.permutation(variant.threads // 32).tolist()) if scattered is not None else ()
            block = Block(kernel, memory, packed(tensors, numbers), variant.threads, number, plan.blocks, order, early)
            watch(block)
            going.append(block.turns())
        while going:
            one = 0 if scattered is None else draw.integers(len(going))
            for _ in range(draw.integers(1, 100)):
                if next(going[one], ENDED) is ENDED:
                    del going[one]
                    break

    return launch
