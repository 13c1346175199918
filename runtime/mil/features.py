"""What a program takes and gives at its border, and the check of what is fed to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.mil.errors import InputError

Range = tuple[int, int | None]
"""Least and greatest length of an axis; None where there is no upper bound."""


@dataclass(frozen=True)
class Feature:
    """An input, output or state of a program.

    `shape` is the default one; `ranges` holds an entry an axis where the shape is flexible, `choices` the shapes that
    may be used where they are listed one by one. `description` is the package's own word for it, often empty.
    """

    name: str
    dtype: str  # "fp16", "fp32", "int32", …
    shape: tuple[int, ...]
    ranges: tuple[Range, ...] = ()
    choices: tuple[tuple[int, ...], ...] = ()
    description: str = ""

    @property
    def is_flexible(self) -> bool:
        """Whether more than one shape may be fed."""
        return len(self.choices) > 1 or any(low != high for low, high in self.ranges)

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of this shape may be fed."""
        if self.choices:
            return shape in self.choices
        if self.ranges:
            return len(shape) == len(self.ranges) and all(
                low <= length and (high is None or length <= high)
                for length, (low, high) in zip(shape, self.ranges, strict=True)
            )
        return shape == self.shape

    def describe_shape(self) -> str:
        """The shapes that are accepted, in words for an error: "(1, 1 to 2048)"."""
        if self.choices:
            return " or ".join(str(choice) for choice in self.choices)
        if not self.ranges:
            return str(self.shape)
        return "(" + ", ".join(_describe_range(axis) for axis in self.ranges) + ")"

    def checked(self, given: object) -> NDArray[Any]:
        """`given` as an array; raises InputError where it is of the wrong kind or shape."""
        kinds = "f" if self.dtype.startswith("fp") else "iu"
        expected = "floating-point numbers" if kinds == "f" else "integers"
        try:
            array = np.asarray(given)
        except (ValueError, TypeError, RuntimeError):  # ragged lists, and tensors that NumPy cannot look into
            raise InputError(
                f"Input {self.name} is a {type(given).__name__} that makes no array where the program takes {expected} "
                f"of shape {self.describe_shape()}."
            ) from None
        if array.dtype.kind not in kinds:
            raise InputError(f"Input {self.name} holds {array.dtype} where the program takes {expected}; convert it.")
        if not self.accepts(array.shape):
            raise InputError(
                f"Input {self.name} has shape {tuple(array.shape)} where the program takes {self.describe_shape()}."
            )
        if kinds == "iu" and array.size:
            bounds = np.iinfo(np.int32)
            if int(array.min()) < bounds.min or int(array.max()) > bounds.max:
                raise InputError(
                    f"Input {self.name} holds integers from {array.min()} to {array.max()} where the program takes "
                    f"those of 32 bits, {bounds.min} to {bounds.max}."
                )
        return array


def _describe_range(axis: Range) -> str:
    low, high = axis
    if low == high:
        return str(low)
    return f"{low} or more" if high is None else f"{low} to {high}"
