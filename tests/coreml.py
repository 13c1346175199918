"""A stand-in for Core ML where there is none: what coremltools 9.0 shows of it, computed by our interpreter.

It does what the native part does to what it is given, as far as its source tells: inputs are taken as they lie in
memory, and held until the stream is idle; compiled programs lie where the caller says; errors are RuntimeErrors.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import types
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from runtime.errors import UserFacingError
from runtime.mil import Program

NOISE = b"coremlc: compiling\n"


class StandIn:
    """Put in place of coremltools' classes by `install`."""

    def __init__(self) -> None:
        self.build = "24G90"
        self.told = {"kern.osproductversion": "15.6.1"}  # by the kernel, which answers all else with its build
        self.compiled: list[str] = []  # packages, in the order in which they were compiled
        self.loaded: list[tuple[str, str]] = []  # paths and compute units
        self.refused: dict[str, str] = {}  # by compute units, what Core ML says
        self.failing: str | None = None  # what the next prediction says
        self.inputs: list[npt.NDArray[Any]] = []  # that Core ML holds

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Until `patch` is undone this is a Mac."""
        import coremltools
        import coremltools.models.utils

        patch.setattr("platform.system", lambda: "Darwin")
        patch.setattr("platform.machine", lambda: "arm64")
        patch.setattr("runtime.backends.macos.sysctl", lambda name: self.told.get(name, self.build))
        patch.setitem(sys.modules, "coremltools.libcoremlpython", types.ModuleType("coremltools.libcoremlpython"))
        patch.setattr(coremltools.models.utils, "compile_model", self._compile)
        patch.setattr(coremltools.models, "CompiledMLModel", self._load)

    def idle(self) -> list[npt.NDArray[Any] | None]:
        """The stream was idle for a second: the inputs are let go of, on another thread. What is left of each."""
        held = [weakref.ref(array) for array in self.inputs]
        dropping = threading.Thread(target=self.inputs.clear)
        dropping.start()
        dropping.join()
        return [array() for array in held]

    def _compile(self, model: str, destination_path: str | None = None) -> str:
        assert Path(model).suffix == ".mlpackage"
        os.write(1, NOISE)
        self.compiled.append(model)
        made = Path(tempfile.mkdtemp()) / f"{Path(model).stem}.mlmodelc"
        shutil.copytree(model, made)
        return str(made) if destination_path is None else str(shutil.move(made, destination_path))

    def _load(self, path: str, *, compute_units: Any) -> _Model:
        self.loaded.append((path, compute_units.name))
        assert path.endswith(".mlmodelc")
        if compute_units.name in self.refused:
            raise RuntimeError(self.refused[compute_units.name])
        try:
            return _Model(self, Program.open(path))
        except (OSError, ValueError, UserFacingError) as error:
            raise RuntimeError(f'{{\n    NSLocalizedDescription = "{error}";\n}}') from None


class _Model:
    def __init__(self, owner: StandIn, program: Program) -> None:
        self._owner = owner
        self._program = program

    def make_state(self) -> _State:
        return _State(self._program.new_state())

    def predict(self, data: dict[str, npt.NDArray[Any]], state: _State) -> Mapping[str, npt.NDArray[Any]]:
        assert type(data) is dict
        for name, array in data.items():
            assert type(array) is np.ndarray
            assert array.dtype in (np.int32, np.float32), f"{name} would be converted"
            assert array.strides == np.empty(array.shape, array.dtype).strides, f"Core ML is told {array.strides}"
            self._owner.inputs.append(array)
        if self._owner.failing:
            raise RuntimeError(self._owner.failing)
        out = self._program.predict(data, state.inner)
        return {name: value.astype(np.float32) for name, value in out.items()}


class _State:
    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def read_state(self, name: str) -> npt.NDArray[Any]:
        found: npt.NDArray[Any] = self.inner.read_state(name).astype(np.float32)
        return found

    def write_state(self, name: str, value: npt.NDArray[Any]) -> None:
        self.inner.write_state(name, value.astype(np.float16))
