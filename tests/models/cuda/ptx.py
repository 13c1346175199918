"""A warp of 32 lanes that runs the few PTX instructions of models/cuda/lookup.py, by NVIDIA's description of them.

(PTX ISA 8.x, sections on `prmt`, `shfl.sync` and integer arithmetic.)
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

LANES = 32
Lanes = npt.NDArray[np.uint64]


def run(text: str, operands: dict[int, Lanes], memory: npt.NDArray[np.uint32]) -> dict[int, Lanes]:
    """Run `text` on operands $n [32 lanes]; addresses are bytes of `memory`. Returns all operands as they are then."""
    registers: dict[str, Lanes] = {f"${number}": value.astype(np.uint64) for number, value in operands.items()}
    registers["%laneid"] = np.arange(LANES, dtype=np.uint64)
    for line in re.split(r"[;{}]", text):
        words = line.strip().replace(",", " ").split()
        if not words or words[0].startswith("."):
            continue
        operation, target, *sources = words
        values = [_value(source.strip("[]"), registers) for source in sources]
        registers[target] = _result(operation, values, memory)
    return {int(name[1:]): value for name, value in registers.items() if name.startswith("$")}


def _value(name: str, registers: dict[str, Lanes]) -> Lanes:
    if name in registers:
        return registers[name]
    return np.full(LANES, int(name, 0) & 0xFFFFFFFF, np.uint64)


def _result(operation: str, values: list[Lanes], memory: npt.NDArray[np.uint32]) -> Lanes:
    word = np.uint64(0xFFFFFFFF)
    if operation.startswith("mov."):
        return values[0]
    if operation == "and.b32":
        return values[0] & values[1]
    if operation == "or.b32":
        return values[0] | values[1]
    if operation == "shr.u32":
        return (values[0] & word) >> values[1]
    if operation == "mul.wide.u32":
        return values[0] * values[1]
    if operation == "add.s64":
        return values[0] + values[1]
    if operation == "ld.global.nc.b16":
        halves: Lanes = memory.view(np.uint16)[values[0] // np.uint64(2)].astype(np.uint64)
        return halves
    if operation == "cvt.f32.f16":
        wide: Lanes = values[0].astype(np.uint16).view(np.float16).astype(np.float32).view(np.uint32).astype(np.uint64)
        return wide
    if operation == "ld.global.nc.b32":
        loaded: Lanes = memory[values[0] // np.uint64(4)].astype(np.uint64)
        return loaded
    if operation == "shfl.sync.idx.b32":  # with clamp 31: the lane that the low five bits name
        assert (values[2] == 31).all()
        assert (values[3] == word).all()
        from_lane: Lanes = values[0][(values[1] & np.uint64(31)).astype(np.intp)]
        return from_lane
    if operation == "prmt.b32":
        return _permuted(*values)
    raise ValueError(f"this warp does not know {operation}")


def _permuted(low: Lanes, high: Lanes, selectors: Lanes) -> Lanes:
    """Byte by byte: a selector's low three bits name one of the eight bytes, its highest bit would ask for its sign."""
    eight = low | high << np.uint64(32)
    out = np.zeros(LANES, np.uint64)
    for place in range(4):
        selector = selectors >> np.uint64(4 * place) & np.uint64(15)
        assert (selector < 8).all(), "asks for a sign"
        out |= (eight >> (np.uint64(8) * selector) & np.uint64(255)) << np.uint64(8 * place)
    return out
