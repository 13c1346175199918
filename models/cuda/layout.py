"""Layout: how activations lie in memory for the product that reads them next. I columns."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """`dtype`, and column c of a row at place (c mod `places`) · I / `places` + c div `places`.

    A unit of a packed row holds `places` weights. So a thread that reads neighbouring units reads the numbers that go
    with them in whole vectors, where the columns in their order would take a load for each. `forms.place_of` is the
    same in kernels.
    """

    dtype: torch.dtype
    places: int

    def lay(self, x: Tensor) -> Tensor:
        """`x` [R, I], in the order of its columns and contiguous, so laid."""
        if self.dtype == torch.float16:  # beyond its largest number it is that, as in kernels
            x = x.clamp(-65504, 65504)
        x = x.to(self.dtype)
        if self.places == 1:
            return x
        return x.view(len(x), -1, self.places).transpose(1, 2).reshape(x.shape)


PLAIN = Layout(torch.float32, 1)
