"""A weight as it lies in a checkpoint, read as the float16 values that a Core ML program holds."""

from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from models.errors import UserFacingError

_Float = TypeVar("_Float", np.float32, np.float64)
Format = Literal["float16", "bfloat16", "float32"]
_BITS: dict[Format, type[np.unsignedinteger]] = {"float16": np.uint16, "bfloat16": np.uint16, "float32": np.uint32}
# Magnitude patterns: the first that float16 would round to infinity, and infinity itself (what lies above is NaN).
_BEYOND_HALF: dict[Format, int] = {"float16": 0x7C00, "bfloat16": 0x4780, "float32": 0x477FF000}
_INFINITY: dict[Format, int] = {"float16": 0x7C00, "bfloat16": 0x7F80, "float32": 0x7F800000}
_CHUNK = 4 << 20  # weights looked at together, which bounds the memory


class WeightError(UserFacingError):
    """A weight that cannot be stored in the format asked for."""


@dataclass(frozen=True, kw_only=True)
class Unfit:
    """How many weights float16 cannot hold."""

    nan: int
    infinite: int
    too_large: int  # finite, but rounded to infinity: 65520 or more

    def __bool__(self) -> bool:
        return bool(self.nan or self.infinite or self.too_large)

    def __str__(self) -> str:
        return f"{self.nan} NaN, {self.infinite} infinite, {self.too_large} beyond float16's largest value, 65504"


@dataclass(frozen=True)
class Source:
    """A matrix [out, in] in one of the three formats. `bits` are its patterns, uint16 or uint32, and may be mapped."""

    bits: NDArray[np.unsignedinteger]
    format: Format

    def __post_init__(self) -> None:
        if self.bits.ndim != 2 or not self.bits.size or self.bits.dtype != _BITS[self.format]:
            raise ValueError(f"{self.bits.dtype} {self.bits.shape} are not the bits of a matrix of {self.format}")

    @classmethod
    def of(cls, weight: "Source | NDArray[np.floating] | torch.Tensor") -> "Source":
        """A view of `weight`, nothing copied. numpy has no bfloat16: `Source(bits, "bfloat16")` or a tensor says it."""
        if isinstance(weight, Source):
            return weight
        if isinstance(weight, torch.Tensor):
            if weight.dtype == torch.bfloat16:
                return cls(weight.detach().view(torch.uint16).numpy(), "bfloat16")
            weight = weight.detach().numpy()
        if weight.dtype == np.float16:
            return cls(weight.view(np.uint16), "float16")
        if weight.dtype == np.float32:
            return cls(weight.view(np.uint32), "float32")
        raise ValueError(f"a weight is float16, bfloat16 or float32, not {weight.dtype}")

    @property
    def shape(self) -> tuple[int, int]:
        """Out, in."""
        return self.bits.shape[0], self.bits.shape[1]

    def patterns(self, rows: slice) -> NDArray[np.uint16]:
        """A fresh copy of 16-bit patterns of `rows`, whose values `pattern_values` tells. float32 becomes float16."""
        if self.format == "float32":
            with np.errstate(over="ignore"):  # an infinity is found and refused by whoever looks at the values
                return self.bits[rows].view(np.float32).astype(np.float16, order="C").view(np.uint16)
        return np.array(self.bits[rows], np.uint16, order="C")

    def pattern_values(self) -> NDArray[np.float64]:
        """The float16 value [65536] of each 16-bit pattern, as float64: exact, and infinite where it does not fit."""
        return _values_of_patterns(self.format == "bfloat16", np.float64)

    def floats(self, rows: slice) -> NDArray[np.float32]:
        """A fresh copy of `rows`, rounded to float16, as float32."""
        return _values_of_patterns(self.format == "bfloat16", np.float32)[self.patterns(rows)]

    def unfit(self) -> Unfit:
        """Count what float16 cannot hold: one quick pass in bounded memory."""
        magnitude = np.iinfo(self.bits.dtype).max >> 1
        beyond, infinity = _BEYOND_HALF[self.format], _INFINITY[self.format]
        rows = max(1, _CHUNK // self.shape[1])
        nan = infinite = too_large = 0
        for first in range(0, self.shape[0], rows):
            chunk = self.bits[first : first + rows] & magnitude
            if chunk.max() < beyond:
                continue
            nan += int((chunk > infinity).sum())
            infinite += int((chunk == infinity).sum())
            too_large += int(((chunk >= beyond) & (chunk < infinity)).sum())
        return Unfit(nan=nan, infinite=infinite, too_large=too_large)

    def refuse_unfit(self) -> None:
        """Raise WeightError where float16 cannot hold the weights. The caller knows the tensor's name, and adds it."""
        if unfit := self.unfit():
            raise WeightError(f"Weights that float16 cannot hold ({unfit}): repair or fetch the checkpoint again.")


@cache
def _values_of_patterns(bfloat16: bool, dtype: type[_Float]) -> NDArray[_Float]:
    patterns = np.arange(1 << 16, dtype=np.uint32)
    with np.errstate(over="ignore", invalid="ignore"):
        if bfloat16:
            halves = (patterns << 16).view(np.float32).astype(np.float16)
        else:
            halves = patterns.astype(np.uint16).view(np.float16)
        values = halves.astype(dtype)
    values.setflags(write=False)
    return values
