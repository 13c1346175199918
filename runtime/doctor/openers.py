"""The backends of this program, each under a name by which a child can prepare it.

Each imports what the backend needs and gives the function that loads it, so that loading can be timed alone and again.
Where a backend cannot run here, BackendUnavailableError says the reason alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from runtime.backends.base import Backend
from runtime.backends.choice import automatic_reason, unavailable_reason
from runtime.bundle import Bundle
from runtime.errors import BackendUnavailableError

Load = Callable[[], Backend[Any]]


def reference(bundle: Bundle) -> Load:
    """The interpreter."""
    _refuse_unavailable("reference")
    from runtime.backends.reference import open_reference

    return partial(open_reference, bundle)


def torch(bundle: Bundle) -> Load:
    """Torch on the CPU."""
    _refuse_unavailable("torch")
    from runtime.backends.torch import open_torch

    return partial(open_torch, bundle)


def cuda(bundle: Bundle) -> Load:
    """An NVIDIA card. Triton's interpreter is none."""
    reason = automatic_reason("cuda")
    if reason:
        raise BackendUnavailableError(reason)
    from runtime.backends.cuda import open_cuda

    return partial(open_cuda, bundle)


def coreml_gpu(bundle: Bundle) -> Load:
    """Core ML on the GPU."""
    return _coreml(bundle, "cpu_and_gpu")


def coreml_cpu(bundle: Bundle) -> Load:
    """Core ML on the CPU."""
    return _coreml(bundle, "cpu_only")


def coreml_ne(bundle: Bundle) -> Load:
    """Core ML on the Neural Engine, as far as it takes the program."""
    return _coreml(bundle, "cpu_and_ne")


def _coreml(bundle: Bundle, compute_units: str) -> Load:
    _refuse_unavailable("coreml")  # imports coremltools where it can run
    from runtime.backends.coreml import open_coreml

    return partial(open_coreml, bundle, compute_units=compute_units)


def _refuse_unavailable(name: str) -> None:
    reason = unavailable_reason(name)
    if reason:
        raise BackendUnavailableError(reason)
