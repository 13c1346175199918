"""Sizes as people read them: disks, files and what is read a second count in thousands, memory in 1,024."""

from __future__ import annotations

_THOUSANDS = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
_BINARY = (("GiB", 2.0**30), ("MiB", 2.0**20), ("KiB", 2.0**10))


def data_size(size: float) -> str:
    """Bytes in decimal units: 3.72 GB, 576 kB."""
    return _size(size, _THOUSANDS)


def memory_size(size: float) -> str:
    """Bytes of memory, in the units that machines and cards are sold by: 16 GiB is 16 times 1,024³ bytes."""
    return _size(size, _BINARY)


def _size(size: float, units: tuple[tuple[str, float], ...]) -> str:
    for unit, factor in units:
        if size >= factor:
            return f"{size / factor:.3g} {unit}" if size < 999.5 * factor else f"{size / factor:,.0f} {unit}"
    return f"{size:.0f} bytes"
