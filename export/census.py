"""Check of the finished program, before it is a bundle: is every op what the recipe and the device need?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from export.recipes import FORMATS, Kind
from export.sections import split_sections
from models.config import FalconConfig
from runtime.errors import UserFacingError
from runtime.mil import Op, Program

_CONSTEXPR: Mapping[Kind, str] = {"lut": "constexpr_lut_to_dense", "block": "constexpr_blockwise_shift_scale"}
_NARROW = ("int16", "uint16", "int8", "uint8")


class ProgramCheckError(UserFacingError):
    """A program that coremltools made differently from what was asked."""


def check_program(program: Program, config: FalconConfig, formats: Mapping[str, str]) -> dict[str, Any]:
    """Census for the manifest: ops in all and by layer. Raises ProgramCheckError, which names the op that is wrong.

    `formats` gives each matrix's format by tensor name.
    """
    ops = list(program.ops())
    producers = {value.name: op for op in ops for value in op.outputs}
    problems = [
        *_uncompressed(ops, producers, formats),
        *_linears(ops, config),
        *_tiled(ops),
        *_narrow_ids(ops),
        *_float32(ops),
        *_states(program),
        *_attention(ops, config),
    ]
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ProgramCheckError(f"The Core ML program is not as it should be: {problems[0]}{more}; please report this.")
    sections = split_sections(ops, config)
    return {
        "ops": _counts(ops),
        "embedding": _counts(sections.embedding),
        "layers": [_counts(layer) for layer in sections.layers],
        "head": _counts(sections.head),
    }


def _uncompressed(ops: list[Op], producers: Mapping[str, Op], formats: Mapping[str, str]) -> Iterator[str]:
    """Every linear reads a matrix in the format that the recipe gives it, and there are as many as there should be."""
    expected = Counter(_CONSTEXPR.get(FORMATS[form].kind, "const") for form in formats.values())
    found: dict[str, str] = {}
    for op in ops:
        if op.type not in ("linear", "gather"):
            continue
        operand = op.inputs["weight" if op.type == "linear" else "x"][0]
        if not isinstance(operand, str):
            if op.type == "linear":
                found[f"{op.name} (constant)"] = "const"
            continue
        producer = producers.get(operand)
        kind = producer.type if producer else "an input"
        if kind.startswith("constexpr_"):
            found[operand] = kind
        elif op.type == "linear":
            found[operand] = "const" if kind == "const" else kind
            if kind != "const":
                yield f"linear {op.name} multiplies by the result of {kind}, not by a stored weight"
    actual = Counter(found.values())
    for kind, count in expected.items():
        # Equal matrices are stored once, so a program may hold fewer than the checkpoint; plain ones are not counted.
        if kind != "const" and not 0 < actual[kind] <= count:
            yield f"{actual[kind]} weights are stored by {kind} where the recipe asks for {count}"
    for name, kind in found.items():
        if kind not in expected:
            yield f"weight {name} is stored by {kind}, which the recipe does not ask for"


def _linears(ops: list[Op], config: FalconConfig) -> Iterator[str]:
    """Four a layer and the head: one that became a matmul or conv would hide from the check of weights."""
    count = sum(op.type == "linear" for op in ops)
    if count != 4 * config.num_layers + 1:
        yield f"it has {count} linear ops for {config.num_layers} layers and a head"
    for op in ops:
        if op.type == "conv":
            yield f"{op.name} is a conv"


def _tiled(ops: list[Op]) -> Iterator[str]:
    """No op copies keys or values to each query head."""
    for op in ops:
        if op.type == "tile":
            yield f"{op.name} tiles a tensor of shape {list(op.outputs[0].shape)}"


def _narrow_ids(ops: list[Op]) -> Iterator[str]:
    """A vocabulary of 65,024 fits neither 16-bit type on every path, so no integer is narrowed at all."""
    for op in ops:
        if op.type == "cast" and any(value.dtype in _NARROW for value in op.outputs):
            yield f"{op.name} casts to {op.outputs[0].dtype}"


def _float32(ops: list[Op]) -> Iterator[str]:
    for op in ops:
        if any(value.dtype == "fp32" for value in op.outputs):
            yield f"{op.type} {op.name} gives float32"


def _states(program: Program) -> Iterator[str]:
    for state in program.states:
        if state.dtype != "fp16":
            yield f"state {state.name} is {state.dtype}, not fp16"


def _attention(ops: list[Op], config: FalconConfig) -> Iterator[str]:
    """One fused attention op a layer, its keys with as many heads as exist."""
    fused = [op for op in ops if op.type == "scaled_dot_product_attention"]
    if len(fused) != config.num_layers:
        yield f"it has {len(fused)} fused attention ops for {config.num_layers} layers"
    for op in fused:
        shape = op.outputs[0].shape
        if shape[1] != config.num_kv_heads:
            yield f"{op.name} works on {shape[1]} heads where {config.num_kv_heads} keys exist"


def _counts(ops: Iterable[Op]) -> dict[str, int]:
    return dict(sorted(Counter(op.type for op in ops).items()))
