"""The ops of MIL as functions on tensors; importing a module of this package registers its ops."""

from __future__ import annotations

from runtime.mil.ops import activation, elementwise, gather, matrix, normalization, reduction, scatter, shape, slicing
from runtime.mil.ops.registry import KERNELS, Kernel

__all__ = [
    "KERNELS",
    "Kernel",
    "activation",
    "elementwise",
    "gather",
    "matrix",
    "normalization",
    "reduction",
    "scatter",
    "shape",
    "slicing",
]
