"""The pictures: SVG that stretches to its column, with every word beside it in HTML, so that text keeps its size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from export.report.markup import Markup, element


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One field of a strip or one bar of a chart: `shade` or height from 0 to 1, None where nothing is known."""

    shade: float | None
    hint: str


def svg(title: str, description: str, view: tuple[float, float], *shapes: Markup, class_: str) -> Markup:
    """A picture `view` units wide and high, stretched to its box, with a title and a description for screen readers."""
    return element(
        "svg",
        element("title", title),
        element("desc", description),
        *shapes,
        role="img",
        viewBox=f"0 0 {view[0]:g} {view[1]:g}",
        preserveAspectRatio="none",
        class_=class_,
    )


def strip(title: str, description: str, cells: Sequence[Cell]) -> Markup:
    """A row of fields of equal width in shades of the accent; what is unknown is hatched by its outline only."""
    return svg(title, description, (len(cells), 1), *_fields(cells), class_="strip")


def faded(shade: float) -> float:
    """Opacity for a shade: what is known is never quite invisible."""
    return 0.08 + 0.92 * shade


def _fields(cells: Sequence[Cell]) -> list[Markup]:
    gap = min(0.003 * len(cells), 0.08)  # about as wide on the page, however many fields
    return [
        _rect(place, 0, 1 - gap, 1, None if cell.shade is None else faded(cell.shade), cell.hint)
        for place, cell in enumerate(cells)
    ]


def stack(title: str, description: str, parts: Sequence[tuple[float, float, str]]) -> Markup:
    """One bar of (share, shade, hint), its shares adding to 1."""
    rects, start = [], 0.0
    for share, shade, hint in parts:
        rects.append(_rect(1000 * start, 0, max(1000 * share - 3, 0.5), 1, shade, hint))
        start += share
    return svg(title, description, (1000, 1), *rects, class_="stack")


def bar(share: float) -> Markup:
    """A small bar inside a table, for the eye only: the figure stands beside it."""
    shape = element("rect", width=f"{100 * min(max(share, 0), 1):.2f}", height=1, class_="ink")
    return element("svg", shape, viewBox="0 0 100 1", preserveAspectRatio="none", class_="bar", aria_hidden="true")


def columns(title: str, description: str, cells: Sequence[Cell], *, lines: Sequence[float], limit: float) -> Markup:
    """Upright bars over a grid of `lines`, under a `limit`; all of them heights from 0, below, to 1."""
    width = len(cells)
    grid = [_line(width, height, "grid") for height in lines]
    bars = [
        _rect(place + 0.15, 1 - cell.shade, 0.7, cell.shade, 1, cell.hint)
        for place, cell in enumerate(cells)
        if cell.shade is not None
    ]
    return svg(title, description, (width, 1), *grid, *bars, _line(width, limit, "limit"), class_="columns")


def thermometer(title: str, description: str, level: float, *, lines: Sequence[float], limit: float) -> Markup:
    """One bar that lies on its side, with upright lines; all of them from 0 to 1."""
    marks = [
        element("line", x1=f"{1000 * x:.1f}", x2=f"{1000 * x:.1f}", y1=0, y2=1, class_=kind)
        for x, kind in [*((x, "grid") for x in lines), (limit, "limit")]
    ]
    return svg(title, description, (1000, 1), *marks, _rect(0, 0.3, 1000 * level, 0.4, 1, title), class_="thermometer")


def logarithmic(low: float, high: float) -> Callable[[float], float]:
    """A scale from `low`, which becomes 0, to `high`, which becomes 1; what lies outside is cut. Both above 0."""
    bottom, span = math.log(low), math.log(high) - math.log(low)

    def scale(value: float) -> float:
        if value <= low:
            return 0.0
        return min((math.log(value) - bottom) / span, 1.0)

    return scale


def _rect(x: float, y: float, width: float, height: float, opacity: float | None, hint: str) -> Markup:
    return element(
        "rect",
        element("title", hint) if hint else None,
        x=f"{x:g}",
        y=f"{y:.4g}",
        width=f"{width:.5g}",
        height=f"{height:.4g}",
        class_="ink" if opacity is not None else "unknown",
        fill_opacity=None if opacity is None else f"{opacity:.3g}",
    )


def _line(width: int, height: float, kind: str) -> Markup:
    return element("line", x1=0, x2=width, y1=f"{1 - height:.4g}", y2=f"{1 - height:.4g}", class_=kind)
