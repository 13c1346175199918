"""How a function becomes an op.

A kernel's parameters have MIL's own names. Those before `*` are tensors; those after it are plain numbers, lists and
strings, fixed at conversion or computed by the program. Values are float32, int64 and bool tensors whatever the width
that MIL gives them; the plan rounds and narrows where that is asked for.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Kernel:
    """One op: the function and what the plan has to know of it."""

    function: Callable[..., Any]
    tensors: tuple[str, ...]
    numbers: tuple[str, ...]
    required: frozenset[str]
    weights: tuple[str, ...] = ()  # tensors that may come as a WeightHandle, not expanded
    lists: tuple[str, ...] = ()  # parameters that take any number of values
    takes_half: bool = False  # reads 16-bit states as they are stored
    takes_opset: bool = False  # differs between iOS versions


KERNELS: dict[str, Kernel] = {}
"""Every op that can be run, by its name in MIL."""


def kernel(
    *names: str, weights: tuple[str, ...] = (), lists: tuple[str, ...] = (), takes_half: bool = False
) -> Callable[[F], F]:
    """Register a function as the op or ops of these names."""

    def register(function: F) -> F:
        add_kernel(function, *names, weights=weights, lists=lists, takes_half=takes_half)
        return function

    return register


def add_kernel(
    function: Callable[..., Any],
    *names: str,
    weights: tuple[str, ...] = (),
    lists: tuple[str, ...] = (),
    takes_half: bool = False,
) -> None:
    """Register `function`; see `kernel`."""
    parameters = inspect.signature(function).parameters
    entry = Kernel(
        function=function,
        tensors=tuple(name for name, item in parameters.items() if item.kind is not item.KEYWORD_ONLY),
        numbers=tuple(name for name, item in parameters.items() if item.kind is item.KEYWORD_ONLY and name != "opset"),
        required=frozenset(name for name, item in parameters.items() if item.default is item.empty and name != "opset"),
        weights=weights,
        lists=lists,
        takes_half=takes_half,
        takes_opset="opset" in parameters,
    )
    for name in names:
        KERNELS[name] = entry
