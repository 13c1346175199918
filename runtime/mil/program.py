"""A saved Core ML program, opened and ready to run: the same words as Core ML's Python API."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from runtime.arguments import check_text, check_whole, checked_path, kind_of
from runtime.mil.compiler import check_ops, compile_function
from runtime.mil.errors import InputError, PackageError, reading
from runtime.mil.features import Feature
from runtime.mil.graph import Function, Op, Weight
from runtime.mil.lookups import find_lookups
from runtime.mil.package import Package
from runtime.mil.plan import Options
from runtime.mil.state import State
from runtime.mil.weights.budget import MemoryBudget

Array = NDArray[Any]
_OF_SHAPES = re.compile(r"\b(sizes?|shapes?|dimensions?)\b", re.IGNORECASE)  # torch has no type for such errors


class Program:
    """One function of an .mlpackage. One prediction at a time.

    Values that the program holds in 16 bits are computed in 32 without rounding, states apart, which are stored in 16;
    `round_to_fp16` rounds every such result instead, and what overflows becomes infinite.
    """

    def __init__(self, package: Package, function_name: str, budget: MemoryBudget, options: Options) -> None:
        self.path = package.path
        self.metadata: Mapping[str, str] = package.metadata
        self.functions: tuple[str, ...] = tuple(package.functions)
        self._function: Function = package.functions[function_name]
        self._interface = package.interfaces[function_name]
        self._lookups = find_lookups(self._function)
        self._identity = str(self.path.resolve())  # functions of one package share their states
        self.weight_files = tuple(package.blob_files.values())
        self._plan = compile_function(self._function, package.blob_files, budget, options)

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        function_name: str | None = None,
        memory_budget_bytes: int = 2 << 30,
        round_to_fp16: bool = False,
        trace_magnitudes: bool = False,
    ) -> Program:
        """Open a package; no weight is read until an op uses it.

        Args:
            path: an .mlpackage folder.
            function_name: which of several functions to run; the default one if not given.
            memory_budget_bytes: what expanded weights may keep in memory; the others are expanded at each use.
            round_to_fp16: round every 16-bit result to 16 bits.
            trace_magnitudes: fill `magnitudes`.

        Raises:
            PackageError, WeightFileError, UnsupportedOpError, OptionError (arguments of the wrong kind): all
            UserFacingErrors.
        """
        path = checked_path("path", path)
        check_text("function_name", function_name, optional=True)
        check_whole("memory_budget_bytes", memory_budget_bytes)
        budget = MemoryBudget(memory_budget_bytes)
        with reading(path):
            package = Package.open(path)
            check_ops(package.functions)
            name = function_name or package.default_function
            if name not in package.functions or name not in package.interfaces:
                known = ", ".join(package.functions)
                raise PackageError(f"{package.path} has no function {name}; choose one of: {known}.")
            return cls(package, name, budget, Options(round_to_fp16, trace_magnitudes))

    @property
    def inputs(self) -> tuple[Feature, ...]:
        """What `predict` has to be given."""
        return self._interface.inputs

    @property
    def outputs(self) -> tuple[Feature, ...]:
        """What `predict` gives."""
        return self._interface.outputs

    @property
    def states(self) -> tuple[Feature, ...]:
        """What the program keeps between predictions."""
        return self._interface.states

    @property
    def magnitudes(self) -> Mapping[str, float]:
        """Largest |value| of each 16-bit result in the last prediction, by name, with `trace_magnitudes`."""
        return self._plan.magnitudes

    def ops(self) -> Iterator[Op]:
        """Every op in the order of the program, constants and the ops of nested blocks included."""
        return self._function.block.walk()

    def weights(self) -> Iterator[Weight]:
        """Every constant that is, wholly or in parts, in the weight file."""
        for op in self.ops():
            if op.type != "const" and not op.type.startswith("constexpr_"):
                continue
            parts = {key: bindings[0] for key, bindings in op.inputs.items()}
            if any(not isinstance(part, str) and part.is_stored for part in parts.values()):
                value = op.outputs[-1]  # after the mask, for the sparse ones that give two
                shape = tuple(length for length in value.shape if length is not None)
                yield Weight(value.name, op.type, value.dtype, shape, parts)

    def new_state(self) -> State:
        """A state of zeros."""
        return State.zeros({feature.name: feature.shape for feature in self.states}, owner=self._identity)

    def predict(self, inputs: Mapping[str, Array], state: State | None = None) -> dict[str, Array]:
        """Run the program once; `state`, which programs with states need, is changed in place.

        16-bit outputs come as float32, as from coremltools. Raises InputError: before anything has run, save for
        shapes that each input may have and that do not go together, which an op finds; `state` may then be changed.
        """
        if not isinstance(inputs, Mapping):
            raise InputError(f"predict takes a dict of the program's inputs by name, not {kind_of(inputs)}.")
        given = self._checked_inputs(inputs)
        given.update(self._checked_state(state))
        self._plan.magnitudes.clear()
        names = [feature.name for feature in self.outputs]
        with torch.inference_mode():
            try:
                results = self._plan.run(given, names)
            except RuntimeError as error:
                self._blame_shapes(inputs, error)
                raise
            return {name: _as_output(tensor) for name, tensor in results.items()}

    def _checked_inputs(self, inputs: Mapping[str, Array]) -> dict[str, Tensor]:
        features = {feature.name: feature for feature in self.inputs}
        for name in inputs:
            if name not in features:
                known = ", ".join(features) or "none"
                raise InputError(f"The program has no input {name}; its inputs are: {known}.")
        given: dict[str, Tensor] = {}
        for name, feature in features.items():
            if name not in inputs:
                raise InputError(
                    f"Input {name} is missing; the program takes {feature.dtype} of shape {feature.describe_shape()}."
                )
            array = feature.checked(inputs[name])
            for lookup in self._lookups.get(name, ()):
                lookup.check(name, array)
            given[name] = _as_input(array, feature.dtype)
        return given

    def _checked_state(self, state: State | None) -> Mapping[str, Tensor]:
        names = ", ".join(feature.name for feature in self.states)
        if not self.states:
            if state is not None:
                raise InputError("The program has no states, and predict was given one; leave it out.")
            return {}
        if not isinstance(state, State):
            given = "none" if state is None else f"a {type(state).__name__}"
            raise InputError(f"The program has states ({names}); give predict one made by new_state(), not {given}.")
        for feature in self.states:
            tensor = state.get(feature.name)
            found = "missing" if tensor is None else f"{_name(tensor.dtype)} {tuple(tensor.shape)}"
            if found != f"fp16 {feature.shape}":
                raise InputError(
                    f"State {feature.name} is {found} where the program keeps fp16 {feature.shape}; "
                    "use one made by its new_state()."
                )
        if state.owner not in ("", self._identity):
            raise InputError(f"The state was made by {state.owner}; use one made by new_state() of {self._identity}.")
        return state

    def _blame_shapes(self, inputs: Mapping[str, Array], error: RuntimeError) -> None:
        """Raise InputError where an op failed on shapes, and shapes are what the caller chose."""
        flexible = [feature for feature in self.inputs if feature.is_flexible]
        if len(flexible) < 2 or not _OF_SHAPES.search(str(error)):
            return
        given = " and ".join(f"{feature.name} {np.shape(inputs[feature.name])}" for feature in flexible)
        told = "; ".join(f"{feature.name} is {feature.description}" for feature in flexible if feature.description)
        where = " ".join(getattr(error, "__notes__", []))
        raise InputError(
            f"The shapes of {given} do not go together ({where}); {told or 'see what the program says of its inputs'}."
        ) from error


def _as_input(array: Array, dtype: str) -> Tensor:
    """An input as the program sees it: what it takes in 16 bits is rounded to them first."""
    if not dtype.startswith("fp"):
        return torch.from_numpy(array.astype(np.int64))
    if dtype == "fp16":
        with np.errstate(over="ignore"):  # beyond 65504 is infinite, as a mask's −1e9 is meant
            array = array.astype(np.float16)
    return torch.from_numpy(array.astype(np.float32))


def _name(dtype: torch.dtype) -> str:
    """The element type as MIL calls it."""
    return str(dtype).removeprefix("torch.").replace("float", "fp")


def _as_output(tensor: Tensor) -> Array:
    if tensor.dtype == torch.int64:
        return tensor.numpy().astype(np.int32)
    return np.array(tensor.float().numpy())
