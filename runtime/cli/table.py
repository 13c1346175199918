"""Tables of figures in plain text, for 80 columns."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TextIO

from runtime.measure.statistics import Estimate

WIDTH = 80


def table(rows: Sequence[Sequence[str]], *, heads: Sequence[str] = ()) -> str:
    """Lines of `rows`: the first column and errors (±) to the left, the rest to the right; a row may be shorter."""
    whole = [heads, *rows] if heads else list(rows)
    widths = [max(len(row[at]) for row in whole if at < len(row)) for at in range(max(map(len, whole)))]
    lines = []
    for row in whole:
        cells = [
            cell.ljust(width) if at == 0 or cell.startswith("±") else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def wrapped(text: str) -> str:
    """A sentence over as many lines as 80 columns ask for."""
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def number(value: float, digits: int = 4) -> str:
    """`value` to so many significant digits, never in powers of ten unless it is very small."""
    if not math.isfinite(value):
        return "-"
    if value == 0 or 1e-4 <= abs(value) < 1e7:
        places = max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0
        return f"{value:,.{places}f}"
    return f"{value:.{max(digits - 2, 1)}e}"


def estimate(figure: Estimate, digits: int = 4) -> tuple[str, str]:
    """A figure and its error, the error to the figure's places or two digits."""
    return number(figure.value, digits), f"± {number(figure.error, 2)}" if math.isfinite(figure.error) else ""


def percent(value: float) -> str:
    """A share in per cent."""
    return f"{100 * value:.2f} %" if math.isfinite(value) else "-"


def write_json(out: TextIO, value: Mapping[str, object]) -> None:
    """One line."""
    out.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")
