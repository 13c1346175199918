"""Choose and open a backend: by name, or the best that this machine has."""

from __future__ import annotations

import importlib.util
from typing import Any

from runtime.backends.base import Backend
from runtime.backends.cards import card_reason, give_back_unused, interpreted
from runtime.bundle import Bundle
from runtime.errors import BackendUnavailableError, DeviceMemoryError, OptionError
from runtime.packages import install_command

NAMES = ("coreml", "cuda", "torch", "reference")
"""In order of preference."""


def unavailable_reason(name: str) -> str | None:
    """Why backend `name` cannot run on this machine, or None. Raises OptionError for a name that is none."""
    if name not in NAMES:
        raise OptionError(f"{name} is no backend; choose one of {', '.join(NAMES)}.")
    if name == "coreml":
        from runtime.backends import coreml

        return coreml.unavailable_reason()
    if name == "cuda":
        return None if interpreted() else card_reason()
    needed = ("torch",) if name == "torch" else ("torch", "coremltools")
    missing = [package for package in needed if importlib.util.find_spec(package) is None]
    if missing:
        extra = "torch" if name == "torch" else "export"
        return f"{missing[0]} is not installed (`{install_command(extra)}`)"
    return None


def automatic_reason(name: str, bundle: Bundle | None = None) -> str | None:
    """Why backend `name` is not taken unless it is asked for: as `unavailable_reason`, and Triton's interpreter is no
    card. With `bundle`, cards that have no room for it, or lack its shape, are none, too."""
    if name != "cuda":
        return unavailable_reason(name)
    reason = card_reason()
    if reason is None and bundle is not None:
        from runtime.backends.cuda import unfit_reason

        reason = unfit_reason(bundle)
    return reason


def open_backend(bundle: Bundle, name: str | None = None, *, compute_units: str | None = None) -> Backend[Any]:
    """Load `bundle` on backend `name`, or on the first of NAMES that can run it here.

    Raises BackendUnavailableError, which says why, where it cannot run; OptionError for `compute_units`, which are Core
    ML's, with another backend.
    """
    if name:
        reason = unavailable_reason(name)
        if reason:
            raise BackendUnavailableError(
                f"The {name} backend cannot run: {reason}.", option="; leave out --backend to take the best that can"
            )
        return _open(bundle, name, compute_units)
    reasons = {}
    for candidate in NAMES:
        reason = automatic_reason(candidate)
        if reason is None:
            try:
                return _open(bundle, candidate, compute_units)
            except (BackendUnavailableError, DeviceMemoryError) as error:
                if candidate != "cuda":  # a card that is too small leaves the processor
                    raise
                reason = str(error)
            give_back_unused()  # no earlier: the error holds what was loaded until then
        reasons[candidate] = reason
    raise BackendUnavailableError(f"No backend can run: {'; '.join(f'{n}: {r}' for n, r in reasons.items())}.")


def _open(bundle: Bundle, name: str, compute_units: str | None) -> Backend[Any]:
    if name == "coreml":
        from runtime.backends.coreml import open_coreml

        return open_coreml(bundle, compute_units=compute_units)
    if compute_units is not None:
        raise OptionError(f"--compute-units is for the coreml backend and this one is {name}; leave it out.")
    if name == "cuda":
        from runtime.backends.cuda import open_cuda

        return open_cuda(bundle)
    if name == "torch":
        from runtime.backends.torch import open_torch

        return open_torch(bundle)
    from runtime.backends.reference import open_reference

    return open_reference(bundle)
