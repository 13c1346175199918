"""Numbers as people read them."""

from __future__ import annotations


def compact(count: float) -> str:
    """A count in short: 6.92 billion, 451 thousand."""
    for unit, factor in (("trillion", 1e12), ("billion", 1e9), ("million", 1e6), ("thousand", 1e3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}" if count < 999.5 * factor else f"{count / factor:,.0f} {unit}"
    return f"{count:.0f}"


def small(value: float) -> str:
    """A positive figure of any size with three digits: 0.00928, 1.33 · 10⁻⁶."""
    if value == 0 or 1e-4 <= abs(value) < 1e4:
        return f"{value:.3g}"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa} · 10{str(int(exponent)).translate(_SUPERSCRIPT)}"


_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
