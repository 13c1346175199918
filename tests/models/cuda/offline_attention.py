"""Compile attention, rotary and norms as they are launched at full size, for a card that is not here: what they take.

    python -m tests.models.cuda.offline_attention 90

One JSON object a line, as in `offline`, with the kernel's name, how many of its loads are of single 16-bit numbers, and
what it reads before it waits for its predecessor. From 9.0 on, what can is launched early.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from triton.runtime import driver
from triton.runtime.jit import JITFunction

from models.cuda.attention import AttentionShape, attend_rows, attention_counters
from models.cuda.layout import Layout
from models.cuda.norms import normalized
from models.cuda.prompt import attend_prompt
from models.cuda.rotary import rotate_and_store
from models.cuda.rows import Rows
from tests.models.cuda.offline import AbsentCard, resources

CONTEXT = 2048
SHAPES = {"7b": (1, 71, 64), "11b": (8, 4, 128), "rw": (32, 1, 64)}


def launch(name: str, early: bool) -> None:
    kv_heads, group, head_dim = SHAPES[name]
    shape = AttentionShape(kv_heads, group, head_dim, CONTEXT)
    addresses = torch.zeros(1, dtype=torch.int64)
    rows = Rows(addresses, addresses, addresses)
    bias = torch.zeros(kv_heads, group, CONTEXT) if name == "rw" else None
    table = None if name == "rw" else (torch.zeros(CONTEXT, head_dim), torch.zeros(CONTEXT, head_dim))
    query = rotate_and_store(torch.zeros(1, kv_heads, group + 2, head_dim), table, rows, 1, CONTEXT, early=early)
    for counters in (None, attention_counters(torch.device("cpu"))):
        attend_rows(query, rows, 1, shape, bias, 32, Layout(torch.float32, 8), counters=counters, early=early)
    attend_prompt(query, rows, 1, shape, bias, Layout(torch.float16, 1))


def read_early(ptx: str, pointers: Sequence[str]) -> list[str] | None:
    """Of its parameters, `pointers` first, the ones that a kernel reads from before it waits; None if it never does.

    Where an address comes from is followed through the instructions before the wait, in which nothing may branch back.
    """
    if "griddepcontrol" not in ptx:
        return None
    before, _, after = ptx.partition("griddepcontrol.wait")
    assert "griddepcontrol" not in after
    assert before.index("griddepcontrol.launch_dependents") < before.index("ld.global")
    assert not re.search(r"\b(st|red|atom)\.global|\bbra\b", before)
    origins: dict[str, set[str]] = {}
    found: set[str] = set()
    for line in before.splitlines():
        registers = re.findall(r"%\w+", re.sub(r"^\s*@\S+|//.*", "", line))
        parameter = re.search(r"ld\.param\S* .*_param_(\d+)\]", line)
        if parameter and registers and int(parameter[1]) < len(pointers):
            origins[registers[0]] = {pointers[int(parameter[1])]}
        elif "ld.global" in line:
            address = re.search(r"\[\s*(%\w+)", line)
            assert address, line
            assert origins[address[1]], line
            found |= origins[address[1]]
        elif registers:
            origins[registers[0]] = set().union(*(origins.get(register, set()) for register in registers[1:]))
    return sorted(found)


def main() -> None:
    early = int(sys.argv[1]) >= 90
    driver.set_active(AbsentCard(int(sys.argv[1])))
    compiled: list[Any] = []
    run = JITFunction.run

    def compile_only(kernel: Any, *arguments: Any, **named: Any) -> Any:
        compiled.append(run(kernel, *arguments, **named | {"warmup": True}))

    JITFunction.run = compile_only
    for name in sys.argv[2:]:
        launch(name, early)
    norms = [nn.LayerNorm(8192).requires_grad_(False)] * 2
    normalized(torch.zeros(1, 8192), norms, [Layout(torch.float32, 8)] * 2, early=early)
    for kernel in compiled:
        narrow = len(re.findall(r"ld\.global\S*\.[bu]16\b", kernel.asm["ptx"]))
        found = {"kernel": kernel.name, "shared_bytes": kernel.metadata.shared, "narrow_loads": narrow}
        found |= {"fused": kernel.metadata.enable_fp_fusion}
        found |= {"early_reads": read_early(kernel.asm["ptx"], kernel.src.fn.arg_names)}
        print(json.dumps(found | resources(kernel.asm["cubin"])))  # noqa: T201


if __name__ == "__main__":
    main()
