"""A function as steps to run. All values of a run live in one list, so that running looks nothing up by name.

A place in the list holds a tensor, a weight, or None once the value is dead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from runtime.mil.graph import Op
from runtime.mil.weights.budget import WeightHandle

Values = list[Any]
Call = Callable[[Values], None]


@dataclass(frozen=True)
class Step:
    """One op: how to run it and which values are dead after it."""

    call: Call
    dead: tuple[int, ...]
    op: Op


@dataclass(frozen=True)
class Options:
    """How values of 16-bit type are treated."""

    round_to_fp16: bool = False
    trace_magnitudes: bool = False


@dataclass
class Plan:
    """Steps of a function and the list of values that a run starts from."""

    steps: tuple[Step, ...]
    template: Values
    places: Mapping[str, int]  # of the function's inputs, states and outputs
    magnitudes: dict[str, float] = field(default_factory=dict)

    def run(self, given: Mapping[str, Tensor], outputs: Sequence[str]) -> dict[str, Tensor]:
        """Compute `outputs` from the inputs and states."""
        values = self.template.copy()
        for name, tensor in given.items():
            values[self.places[name]] = tensor
        run_steps(self.steps, values)
        return {name: expanded(values[self.places[name]]) for name in outputs}


def run_steps(steps: Sequence[Step], values: Values) -> None:
    """Run steps in order; a failure names its op."""
    step: Step | None = None
    try:
        for step in steps:
            step.call(values)
            for place in step.dead:
                values[place] = None
    except Exception as error:
        if step is not None:
            error.add_note(f"in the {step.op.type} op {step.op.name!r} of the program")
        raise


def expanded(value: Any) -> Tensor:
    """The tensor that a place of the list holds."""
    if isinstance(value, WeightHandle):
        return value.dense()
    result: Tensor = value
    return result
