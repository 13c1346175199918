"""Inputs by which a program picks rows of its own tables: token ids. What they may hold is known before it runs.

Core ML does not check indices unless the op asks for it: since iOS 17 those beyond the axis, negative ones among them,
give undefined values (coremltools, `iOS17.gather`, `validate_indices`). Here they are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.mil.errors import InputError
from runtime.mil.graph import Constant, Function, Op

_SAME_ELEMENTS = ("cast", "expand_dims", "identity", "reshape", "squeeze", "transpose")


@dataclass(frozen=True)
class Lookup:
    """The entries of a table, along one axis, that an input may name: `low` to `high`, both included."""

    table: str
    low: int
    high: int

    def check(self, name: str, array: NDArray[np.integer]) -> None:
        """Raise InputError if the input `name` names an entry that the table has not."""
        wrong = array[(array < self.low) | (array > self.high)]
        if wrong.size:
            raise InputError(
                f"Input {name} holds {int(wrong[0])} where the program takes {self.low} to {self.high}, the entries of "
                f"its table {self.table}."
            )


def find_lookups(function: Function) -> Mapping[str, tuple[Lookup, ...]]:
    """By input, the tables that its integers index in every run; indices that are computed are not followed."""
    inputs = {value.name for value in function.inputs if value.dtype.startswith(("int", "uint"))}
    source = {name: name for name in inputs}  # values that hold an input's elements, and that input
    tables: dict[str, tuple[int, ...]] = {}
    numbers: dict[str, Constant] = {}
    found: dict[str, tuple[Lookup, ...]] = {}
    for op in function.block.ops:
        if op.type == "const" or op.type.startswith("constexpr_"):
            tables.update({value.name: tuple(length or 0 for length in value.shape) for value in op.outputs})
            value = op.inputs.get("val", ("",))[0]
            if isinstance(value, Constant):
                numbers[op.outputs[0].name] = value
        elif op.type in _SAME_ELEMENTS and _input(op, "x") in source:
            source[op.outputs[0].name] = source[_input(op, "x")]
        elif op.type == "gather" and _input(op, "x") in tables and _input(op, "indices") in source:
            table = _input(op, "x")
            length = tables[table][_axis(op, numbers)]
            lookup = Lookup(table, 0 if function.opset >= 17 else -length, length - 1)
            name = source[_input(op, "indices")]
            found[name] = (*found.get(name, ()), lookup)
    return found


def _input(op: Op, key: str) -> str:
    """The value that an input of the op is bound to; empty for a constant in its place, or none."""
    binding = op.inputs.get(key, ("",))[0]
    return binding if isinstance(binding, str) else ""


def _axis(op: Op, numbers: Mapping[str, Constant]) -> int:
    binding = op.inputs.get("axis", ("",))[0]
    constant = binding if isinstance(binding, Constant) else numbers.get(binding)
    return int(np.asarray(constant.data).reshape(())) if constant is not None else 0
