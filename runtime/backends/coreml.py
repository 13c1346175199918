"""Backend `coreml`: Apple's framework, through coremltools, on macOS 15 and newer. Not yet run on a Mac."""

from __future__ import annotations

import contextlib
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from runtime.backends.program import ProgramBackend
from runtime.bundle import Bundle
from runtime.errors import BackendUnavailableError, OptionError
from runtime.packages import install_command
from runtime.paths import cache_folder
from runtime.quiet import quiet

# coremltools' names, the default first. ALL is not offered: flexible, stateful programs have failed to load with it
# (docs/decisions/004).
COMPUTE_UNITS = ("cpu_and_gpu", "cpu_and_ne", "cpu_only")


def unavailable_reason() -> str | None:
    """Why Core ML cannot run here, or None."""
    if platform.system() != "Darwin":
        return "Core ML exists on macOS only"
    version = platform.mac_ver()[0]
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
    return None


def open_coreml(bundle: Bundle, *, compute_units: str | None = None) -> ProgramBackend:
    """Load `bundle` in Core ML; the compiled program is kept beside the bundle, so that later loads are fast.

    `compute_units` None is the first of COMPUTE_UNITS. Raises OptionError for units that are none of them,
    BackendUnavailableError with the reason where Core ML cannot run.
    """
    chosen = compute_units or COMPUTE_UNITS[0]
    if chosen not in COMPUTE_UNITS:
        raise OptionError(f"compute units are {', '.join(COMPUTE_UNITS)}, not {chosen}.")
    reason = unavailable_reason()
    if reason:
        raise BackendUnavailableError(f"The coreml backend cannot run: {reason}; choose --backend torch.")
    with quiet():
        import coremltools as ct

        units = ct.ComputeUnit[chosen.upper()]
        compiled = _compiled_path(bundle)
        if compiled.exists():
            model = ct.models.CompiledMLModel(str(compiled), compute_units=units)
        else:
            model = ct.models.MLModel(str(bundle.program_path), compute_units=units)
            _keep(Path(model.get_compiled_model_path()), compiled)
    return ProgramBackend(
        "coreml",
        _CoreML(model),
        model.make_state,
        vocab_size=bundle.manifest.vocab_size,
        context_length=bundle.manifest.context_length,
    )


class _CoreML:
    """MLModel.predict under the words of Predictor. Masks go in as float32, as fp16 ones are converted anyway."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def predict(self, inputs: Mapping[str, npt.NDArray[Any]], state: Any) -> Mapping[str, npt.NDArray[Any]]:
        out: Mapping[str, npt.NDArray[Any]] = self._model.predict(dict(inputs), state=state)
        return out


def _compiled_path(bundle: Bundle) -> Path:
    """Beside the bundle, or in the cache where that cannot be written; named by bundle hash and system."""
    name = f"{bundle.hash[:16]}-macos{platform.mac_ver()[0]}.mlmodelc"
    beside = bundle.folder.parent / f".{bundle.folder.name}.compiled"
    try:
        beside.mkdir(exist_ok=True)
    except OSError:
        beside = cache_folder() / "compiled"
        beside.mkdir(parents=True, exist_ok=True)
    return beside / name


def _keep(source: Path, target: Path) -> None:
    partial = target.with_suffix(".partial")
    with contextlib.suppress(OSError):  # a full disk costs the next load its speed, nothing else
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(source, partial)
        partial.rename(target)
