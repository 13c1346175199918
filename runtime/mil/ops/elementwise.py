"""Ops that work element by element: arithmetic, comparisons, logic, casts."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from runtime.mil.ops.registry import add_kernel, kernel

_NARROW = {"int8": torch.int8, "uint8": torch.uint8, "int16": torch.int16, "uint16": torch.uint16, "int32": torch.int32}
_FLOATS = ("fp16", "fp32", "fp64")


def narrow(x: Tensor, dtype: str) -> Tensor:
    """Integers `x` as a value of `dtype` holds them: what does not fit wraps round."""
    return x.to(_NARROW[dtype]).to(torch.int64) if dtype in _NARROW else x


def _unary(function: Callable[[Tensor], Tensor], *names: str) -> None:
    def apply(x: Tensor) -> Tensor:
        return function(x)

    add_kernel(apply, *names)


def _binary(function: Callable[[Tensor, Tensor], Tensor], *names: str) -> None:
    def apply(x: Tensor, y: Tensor) -> Tensor:
        return function(x, y)

    add_kernel(apply, *names)


_unary(torch.abs, "abs")
_unary(torch.acos, "acos")
_unary(torch.asin, "asin")
_unary(torch.atan, "atan")
_unary(torch.atanh, "atanh")
_unary(torch.ceil, "ceil")
_unary(torch.cos, "cos")
_unary(torch.cosh, "cosh")
_unary(torch.erf, "erf")
_unary(torch.exp, "exp")
_unary(torch.exp2, "exp2")
_unary(torch.floor, "floor")
_unary(torch.logical_not, "logical_not")
_unary(torch.round, "round")  # halves go to the even neighbour
_unary(torch.sign, "sign")
_unary(torch.sin, "sin")
_unary(torch.sinh, "sinh")
_unary(torch.sqrt, "sqrt")
_unary(torch.square, "square")
_unary(torch.tan, "tan")
_unary(torch.tanh, "tanh")

_binary(torch.add, "add")
_binary(torch.sub, "sub")
_binary(torch.mul, "mul")
_binary(torch.maximum, "maximum")
_binary(torch.minimum, "minimum")
_binary(torch.remainder, "mod")  # has the sign of the divisor
_binary(torch.floor_divide, "floor_div")
_binary(torch.pow, "pow")
_binary(torch.eq, "equal")
_binary(torch.ne, "not_equal")
_binary(torch.gt, "greater")
_binary(torch.ge, "greater_equal")
_binary(torch.lt, "less")
_binary(torch.le, "less_equal")
_binary(torch.logical_and, "logical_and")
_binary(torch.logical_or, "logical_or")
_binary(torch.logical_xor, "logical_xor")


@kernel("identity")
def identity(x: Tensor) -> Tensor:
    """The same value."""
    return x


@kernel("real_div")
def real_div(x: Tensor, y: Tensor) -> Tensor:
    """x / y; integers are cut towards zero."""
    if x.dtype.is_floating_point:
        return x / y
    return torch.div(x, y, rounding_mode="trunc")


@kernel("inverse")
def inverse(x: Tensor, *, epsilon: float = 1e-4) -> Tensor:
    """1 / (x + epsilon)."""
    return torch.reciprocal(x + epsilon)


@kernel("log")
def log(x: Tensor, *, epsilon: float = 1e-45) -> Tensor:
    """ln(x + epsilon)."""
    return torch.log(x + epsilon)


@kernel("rsqrt")
def rsqrt(x: Tensor, *, epsilon: float = 1e-12) -> Tensor:
    """1 / √(x + epsilon)."""
    return torch.rsqrt(x + epsilon)


@kernel("clip")
def clip(x: Tensor, *, alpha: float, beta: float) -> Tensor:
    """`x` held between alpha and beta."""
    return torch.clamp(x, alpha, beta)


@kernel("threshold")
def threshold(x: Tensor, *, alpha: float) -> Tensor:
    """`x`, or alpha where it is less."""
    return torch.clamp(x, min=alpha)


@kernel("select")
def select(cond: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """`a` where cond, else `b`."""
    return torch.where(cond, a, b)


@kernel("cast")
def cast(x: Tensor, *, dtype: str) -> Tensor:
    """`x` as another type: floats are cut towards zero, integers wrap."""
    if dtype in _FLOATS:
        return x.to(torch.float32)
    if dtype == "bool":
        return x != 0
    return narrow(x.to(torch.int64), dtype)


def _spread(vector: Tensor, axis: int | None, rank: int) -> Tensor:
    """A vector along `axis` of a tensor of this rank; a scalar as it is."""
    if vector.ndim == 0 or axis is None:
        return vector
    shape = [1] * rank
    shape[axis] = -1
    return vector.reshape(shape)


@kernel("dequantize")
def dequantize(input: Tensor, scale: Tensor, zero_point: Tensor | None = None, *, axis: int | None = None) -> Tensor:  # noqa: A002
    """scale · (input − zero_point), per tensor or along `axis`."""
    value = input.to(torch.float32)
    if zero_point is not None:
        value = value - _spread(zero_point, axis, input.ndim)
    return value * _spread(scale, axis, input.ndim)


@kernel("quantize")
def quantize(
    input: Tensor,  # noqa: A002
    scale: Tensor,
    zero_point: Tensor | None = None,
    *,
    axis: int | None = None,
    output_dtype: str,
) -> Tensor:
    """input / scale + zero_point, rounded and held to the range of `output_dtype`."""
    value = torch.round(input / _spread(scale, axis, input.ndim))
    if zero_point is not None:
        value = value + _spread(zero_point, axis, input.ndim)
    bounds = torch.iinfo(_NARROW[output_dtype])
    return torch.clamp(value, bounds.min, bounds.max).to(torch.int64)
