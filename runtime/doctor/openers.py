"""The backends of this program, each under a name by which a child can open it.

Where one cannot run here, BackendUnavailableError says the reason alone.
"""

from __future__ import annotations

from typing import Any

from runtime.backends.base import Backend
from runtime.backends.choice import open_backend, unavailable_reason
from runtime.bundle import Bundle
from runtime.errors import BackendUnavailableError


def reference(bundle: Bundle) -> Backend[Any]:
    """The interpreter."""
    _refuse_unavailable("reference")
    return open_backend(bundle, "reference")


def torch(bundle: Bundle) -> Backend[Any]:
    """Torch on the CPU."""
    _refuse_unavailable("torch")
    return open_backend(bundle, "torch")


def coreml_gpu(bundle: Bundle) -> Backend[Any]:
    """Core ML on the GPU."""
    return _coreml(bundle, "gpu")


def coreml_cpu(bundle: Bundle) -> Backend[Any]:
    """Core ML on the CPU."""
    return _coreml(bundle, "cpu")


def coreml_ne(bundle: Bundle) -> Backend[Any]:
    """Core ML on the Neural Engine, as far as it takes the program."""
    return _coreml(bundle, "ne")


def _coreml(bundle: Bundle, unit: str) -> Backend[Any]:
    _refuse_unavailable("coreml")
    from runtime.backends.coreml import open_coreml

    return open_coreml(bundle, compute_units=unit)


def _refuse_unavailable(name: str) -> None:
    reason = unavailable_reason(name)
    if reason:
        raise BackendUnavailableError(reason)
