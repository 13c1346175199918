"""Interpreter for saved Core ML programs: opens an .mlpackage on any machine and runs it op by op in torch.

    program = Program.open("model.mlpackage")
    state = program.new_state()
    logits = program.predict({"inputIds": ids, "causalMask": mask}, state)["logits"]

`runtime.mil.blob` reads weight files by itself and needs numpy only; torch is imported with `Program`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime.mil.blob import Blob, BlobFile
from runtime.mil.errors import InputError, PackageError, UnsupportedOpError, WeightFileError
from runtime.mil.features import Feature
from runtime.mil.graph import Constant, Op, Value, Weight

if TYPE_CHECKING:
    from runtime.mil.program import Program
    from runtime.mil.state import State

__all__ = [
    "Blob",
    "BlobFile",
    "Constant",
    "Feature",
    "InputError",
    "Op",
    "PackageError",
    "Program",
    "State",
    "UnsupportedOpError",
    "Value",
    "Weight",
    "WeightFileError",
]


def __getattr__(name: str) -> Any:
    if name == "Program":
        from runtime.mil.program import Program

        return Program
    if name == "State":
        from runtime.mil.state import State

        return State
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
