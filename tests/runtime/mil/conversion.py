"""Programs for the tests: built with coremltools' own builder, saved to disk, and their values by its inference."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from runtime.quiet import quiet

with quiet():
    import coremltools as ct
    from coremltools.converters.mil import Builder as mb  # noqa: N813
    from coremltools.converters.mil.mil import Function, Program, types

__all__ = ["Case", "as_torch", "ct", "integers", "mb", "numbers", "save", "save_cases", "target", "types"]

Tensors = Mapping[str, np.ndarray | Sequence[np.ndarray]]


@dataclass(frozen=True)
class Case:
    """One op on given values.

    `tensors` are fed to the program, `params` are constants in it. What is expected comes from coremltools' value
    inference of the op, or from `expected`, a function of the tensors, where coremltools has none (or a wrong one).
    """

    op: str
    tensors: Tensors
    params: Mapping[str, Any] = field(default_factory=dict)
    expected: Callable[..., Any] | None = None
    opset: int = 18
    note: str = ""

    def __str__(self) -> str:
        told = ",".join(f"{key}={value}" for key, value in self.params.items() if np.size(value) < 8)
        shapes = ",".join(str([np.shape(item) for item in _items(value)]) for value in self.tensors.values())
        return re.sub(r"[\s\[\]]+", "", f"{self.op}-{shapes}-{told}-{self.note}-{self.opset}")

    def wanted(self) -> list[np.ndarray]:
        """The results by the independent source."""
        if self.expected is not None:
            results = self.expected(*[as_torch(value) for value in self.tensors.values()])
        else:
            with quiet(), np.errstate(all="ignore"), Function({}, opset_version=target(self.opset)):
                results = getattr(mb, self.op)(**dict(self.tensors), **dict(self.params))
                results = [item.val for item in results] if isinstance(results, list | tuple) else results.val
        return [np.asarray(item) for item in (results if isinstance(results, list | tuple) else [results])]


def as_torch(value: np.ndarray | Sequence[np.ndarray]) -> Any:
    """An array, or each of several, as a torch tensor."""
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else [torch.from_numpy(item) for item in value]


def _items(value: np.ndarray | Sequence[np.ndarray]) -> list[np.ndarray]:
    return [value] if isinstance(value, np.ndarray) else list(value)


def target(opset: int) -> Any:
    """coremltools' name for the ops of an iOS version."""
    return getattr(ct.target, f"iOS{opset}")


def save_cases(cases: Sequence[Case], path: Path) -> dict[str, np.ndarray]:
    """Save one program that runs every case, output `c<number>_<result>`; give what it is to be fed."""
    fed: dict[str, np.ndarray] = {}
    opset = target(cases[0].opset)
    for number, case in enumerate(cases):
        for key, value in case.tensors.items():
            items = _items(value)
            fed.update({f"c{number}_{key}_{place}": item for place, item in enumerate(items)})
    program = Program()
    placeholders = {
        name: mb.placeholder(value.shape, dtype=types.fp32 if value.dtype.kind == "f" else types.int32)
        for name, value in fed.items()
    }
    with Function(placeholders, opset_version=opset) as function:
        outputs = []
        for number, case in enumerate(cases):
            inputs: dict[str, Any] = dict(case.params)
            for key, value in case.tensors.items():
                read = [
                    _typed(function.inputs[f"c{number}_{key}_{place}"], item)
                    for place, item in enumerate(_items(value))
                ]
                inputs[key] = read[0] if isinstance(value, np.ndarray) else read
            results = getattr(mb, case.op)(**inputs)
            for place, result in enumerate(results if isinstance(results, list | tuple) else [results]):
                outputs.append(_as_output(result, f"c{number}_{place}"))
        function.set_outputs(outputs)
    program.add_function("main", function)
    save(program, path, opset)
    return {name: value if value.dtype.kind == "f" else value.astype(np.int32) for name, value in fed.items()}


def _typed(var: Any, value: np.ndarray) -> Any:
    return mb.cast(x=var, dtype="bool") if value.dtype == bool else var


def _as_output(var: Any, name: str) -> Any:
    """Programs give float32 and int32 only."""
    if var.dtype in (types.fp32, types.int32):
        return mb.identity(x=var, name=name)
    return mb.cast(x=var, dtype="fp32" if types.is_float(var.dtype) else "int32", name=name)


def save(program: Any, path: Path, opset: Any = None, **options: Any) -> None:
    """Write a program as a package, just as it was built."""
    with quiet():
        model = ct.convert(
            program,
            convert_to="mlprogram",
            minimum_deployment_target=opset or ct.target.iOS18,
            compute_precision=ct.precision.FLOAT32,
            pass_pipeline=ct.PassPipeline.EMPTY,
            skip_model_load=True,
            **options,
        )
        model.save(str(path))


def numbers(*shape: int, seed: int = 0, low: float = -2.0, high: float = 2.0) -> np.ndarray:
    """Random float32 numbers."""
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


def integers(*shape: int, seed: int = 0, low: int = -9, high: int = 9) -> np.ndarray:
    """Random int32 numbers, `high` left out."""
    return np.random.default_rng(seed).integers(low, high, shape).astype(np.int32)
