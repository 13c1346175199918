"""Backend `coreml`: Apple's framework, through coremltools, on macOS 15 and newer. Not yet run on a Mac."""

from __future__ import annotations

import contextlib
import importlib
import platform
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy.typing as npt

from runtime.backends.compiled import CompiledProgram
from runtime.backends.macos import in_virtual_machine, macos_version
from runtime.backends.pinned import Pinned
from runtime.backends.program import ProgramBackend
from runtime.bundle import Bundle
from runtime.errors import BackendUnavailableError, CoreMLError, OptionError
from runtime.packages import install_command
from runtime.quiet import quiet, quiet_output

# coremltools' names, the default first. ALL is not offered: flexible, stateful programs have failed to load with it
# (docs/decisions/004).
COMPUTE_UNITS = ("cpu_and_gpu", "cpu_and_ne", "cpu_only")
DEFAULT_UNITS = f"(default: {COMPUTE_UNITS[0]}; in a virtual machine cpu_only)"  # for helps
_LONGEST_REASON = 300  # characters of what Core ML says, which may be pages


def unavailable_reason() -> str | None:
    """Why Core ML cannot run here, or None."""
    if platform.system() != "Darwin":
        return "Core ML exists on macOS only"
    version = macos_version() or platform.mac_ver()[0]
    if int(version.split(".")[0] or 0) < 15:
        return f"stateful Core ML programs need macOS 15 and this is {version}"
    if platform.machine() != "arm64":
        return "this Python is not an arm64 one (install Python for Apple Silicon)"
    try:
        with quiet():
            import coremltools
    except ImportError:
        return f"coremltools is not installed (`{install_command('export')}`)"
    del coremltools
    try:
        importlib.import_module("coremltools.libcoremlpython")
    except ImportError as error:
        return (
            f"coremltools is here without its native part ({error}); install Python 3.11 to 3.13 for Apple Silicon and "
            f"coremltools anew (`{install_command('export')}`)"
        )
    return None


def default_units() -> str:
    """What computes where nobody says: the first of COMPUTE_UNITS, but the processor alone in a virtual machine, whose
    graphics card is a stand-in that programs have failed on (docs/decisions/004)."""
    return "cpu_only" if in_virtual_machine() else COMPUTE_UNITS[0]


def open_coreml(bundle: Bundle, *, compute_units: str | None = None) -> ProgramBackend:
    """Load `bundle` in Core ML, from its compiled program, which is made at the first time and kept.

    `compute_units` None is `default_units()`. Raises OptionError for units that are none of them,
    BackendUnavailableError with the reason where Core ML cannot run, CoreMLError where it cannot load the program.
    """
    chosen = compute_units or default_units()
    if chosen not in COMPUTE_UNITS:
        raise OptionError(f"compute units are {', '.join(COMPUTE_UNITS)}, not {chosen}.")
    reason = unavailable_reason()
    if reason:
        raise BackendUnavailableError(f"The coreml backend cannot run: {reason}.", option="; choose --backend torch")
    with _told(f"Core ML cannot load {bundle.manifest.name} on the units {chosen}"):
        model = _load(CompiledProgram(bundle), chosen)
    return ProgramBackend(
        "coreml",
        _CoreML(model),
        partial(_new_state, model),
        vocab_size=bundle.manifest.vocab_size,
        context_length=bundle.manifest.context_length,
    )


def _load(program: CompiledProgram, units: str) -> Any:
    with quiet():
        import coremltools as ct
        from coremltools.models.utils import compile_model

        if not program.is_whole:
            with quiet_output():  # Core ML's compiler speaks on standard output
                program.make(compile_model)
        return ct.models.CompiledMLModel(str(program.path), compute_units=ct.ComputeUnit[units.upper()])


class _CoreML:
    """CompiledMLModel.predict under the words of Predictor. Masks go in as float32, as fp16 ones are converted anyway:
    into arrays that would be freed (see Pinned)."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._inputs = Pinned()

    def predict(self, inputs: Mapping[str, npt.NDArray[Any]], state: Any) -> Mapping[str, npt.NDArray[Any]]:
        with _told("Core ML could not compute"):
            out: Mapping[str, npt.NDArray[Any]] = self._model.predict(self._inputs.put(inputs), state=state)
        return out


def _new_state(model: Any) -> Any:
    with _told("Core ML could not make room for a conversation"):
        return model.make_state()


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Core ML's own errors, which coremltools raises as RuntimeError, in a sentence that begins with `what`."""
    try:
        yield
    except RuntimeError as error:
        said = " ".join(str(error).split())[:_LONGEST_REASON]
        raise CoreMLError(
            f"{what}: {said}.",
            option="; choose other units (`python -m runtime doctor` says which work), or --backend torch",
        ) from None
