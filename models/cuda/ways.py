"""Ways: how a step of few rows is computed, where there is more than one way."""

from __future__ import annotations

from dataclasses import dataclass

from models.cuda.table import Kernels


@dataclass(frozen=True, kw_only=True)
class Ways:
    """Each changes what is launched, none what is computed. None but those that are the default was run on a card."""

    tables: Kernels | None = None
    """Products of a few rows by the kernel of table.cu, so compiled; None: by Triton's."""
    early: bool = False
    """Where products are joined, launches begin while those before them end, on cards that can."""
    normed: bool = False
    """There, a single row's layer norms are made by the product that reads them."""
    combined: bool = False
    """What attention's programs gather is combined by the last of them, with no launch of its own."""
