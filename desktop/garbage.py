"""Python's collector of cycles, kept from stalling the window."""

from __future__ import annotations

import gc


def settle() -> None:
    """Leave what lives now out of later collections. Call it once, when the window stands.

    A collection of the oldest generation walks all objects: with the modules of the program among them it takes 30 to
    60 ms, a frame or two in which a key is not drawn.
    """
    gc.collect()
    gc.freeze()
