"""Sizes as people read them."""

from __future__ import annotations


def data_size(size: float) -> str:
    """Bytes in decimal units: 3.72 GB, 576 kB."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}" if size < 999.5 * factor else f"{size / factor:,.0f} {unit}"
    return f"{size:.0f} bytes"
