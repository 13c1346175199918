"""Triton's interpreter, made quicker for tests.

It wraps the language's functions at every launch and at every call of one kernel function by another, and looks each
time through all names of six modules for those that it wraps. They are the same each time, and looked up once here.
"""

from __future__ import annotations

import inspect
from typing import Any

import triton.language as tl
from triton.runtime import interpreter


def quicken() -> None:
    """For this process; harmless when repeated, and where this triton has no such inner function."""
    slow = getattr(interpreter, "_patch_builtin", None)
    if slow is None or list(inspect.signature(slow).parameters)[:1] != ["pkg"] or hasattr(slow, "wrapped_names"):
        return
    names: dict[int, list[str]] = {}

    def quick(pkg: Any, *others: Any) -> None:
        if id(pkg) not in names:
            names[id(pkg)] = [name for name, member in inspect.getmembers(pkg) if tl.core.is_builtin(member)]
        for name in names[id(pkg)]:
            member = getattr(pkg, name)
            if tl.core.is_builtin(member):
                interpreter._patch_attr(pkg, name, member, *others)

    quick.wrapped_names = names  # type: ignore[attr-defined]
    interpreter._patch_builtin = quick
