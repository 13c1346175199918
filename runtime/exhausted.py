"""The machine's memory that has run out, in the words of Python, numpy and torch."""

from __future__ import annotations

MEMORY_ENDED = "The machine's memory ran out; close other programs, or choose a smaller bundle, and try again."
_TORCH = "DefaultCPUAllocator"  # whose failure is a RuntimeError like any other


def memory_exhausted(error: BaseException) -> bool:
    """Whether `error` says that this process got no more memory from the system."""
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and _TORCH in str(error))
