"""Bits and errors by layer and matrix."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from export.report.facts import Facts, Matrix, by_label
from export.report.markup import Markup, element, joined
from export.report.numbers import small
from export.report.pictures import Cell, bar, faded, logarithmic, strip
from export.report.tables import details, layer_axis, picture_row, swatch, table

_WORST = 10
_LEAST_RANGE = 4.0  # between the ends of the scale of errors: what differs less should look alike


def bits_section(facts: Facts) -> Markup | None:
    """How many bits each matrix got: a strip a kind of matrix, a field a layer."""
    rows = by_label(facts.matrices)
    if not rows:
        return None
    steps = _format_shades([m for matrices in rows.values() for m in matrices])
    shades = {m.name: steps[m.format] for matrices in rows.values() for m in matrices}
    strips = []
    for label, matrices in rows.items():
        cells = _cells(matrices, facts.layers, shades, lambda m: f"{m.bits:.2f} bits, {m.format}")
        summary = f"{_range([m.bits for m in matrices], lambda bits: f'{bits:.2f}')} bits"
        strips.append(picture_row(label, strip(f"Bits of {label}", f"{summary}, by layer", cells), summary))
    return element(
        "section",
        element("h2", "Bits by layer"),
        element("p", _bits_words(facts.matrices)),
        element("figure", *strips, layer_axis(facts.layers), _format_legend(steps)),
        details("Bits as a table", _layer_table(rows, facts.layers, lambda m: f"{m.bits:.2f}")),
    )


def _bits_words(matrices: Sequence[Matrix]) -> str:
    formats = Counter(m.format for m in matrices if m.layer is not None)
    counted = ", ".join(f"{count} as {form}" for form, count in sorted(formats.items()))
    words = f"What a weight takes in the file, with its share of codebooks or scales. In the layers: {counted}."
    outside = "; ".join(f"{m.label} {m.bits:.2f} bits ({m.format})" for m in matrices if m.layer is None)
    return f"{words} Outside the layers: {outside}." if outside else words


def error_section(facts: Facts) -> Markup | None:
    """How far stored weights are from the original ones."""
    errors = {m.name: m.error for m in facts.matrices if m.error is not None and m.error >= 0}
    if not errors:
        return None
    known = [m for m in facts.matrices if m.name in errors]
    rows = by_label(known)
    outside = "; ".join(f"{m.label} {small(errors[m.name])}" for m in known if m.layer is None)
    return element(
        "section",
        element("h2", "Error by layer and matrix"),
        element(
            "p",
            "The relative squared error of each matrix: the squares of all differences from the original weights, over "
            "the squares of the weights. 0.01 means that the differences hold a hundredth of the energy.",
            f" Outside the layers: {outside}." if outside else None,
        ),
        _weighed(facts),
        _heat_map(rows, facts.layers, errors) if rows else None,
        element("h3", f"The worst {_WORST}" if len(known) > _WORST else "Worst first"),
        _worst(known, errors),
        details("Errors as a table", _layer_table(rows, facts.layers, lambda m: small(errors[m.name])))
        if rows
        else None,
    )


def _weighed(facts: Facts) -> Markup | None:
    if not facts.calibrated_on:
        return None
    return element(
        "p",
        f"The bundle was calibrated on {facts.calibrated_on}: its values were chosen with errors weighed by what that "
        "text feeds into each matrix. The errors here count every weight alike and may be larger than without.",
    )


def _heat_map(rows: Mapping[str, Sequence[Matrix]], layers: Sequence[int], errors: Mapping[str, float]) -> Markup:
    low, high = _ends([errors[m.name] for matrices in rows.values() for m in matrices])
    scale = logarithmic(low, high)
    shades = {m.name: scale(errors[m.name]) for matrices in rows.values() for m in matrices}
    strips = []
    for label, matrices in rows.items():
        cells = _cells(matrices, layers, shades, lambda m: f"error {small(errors[m.name])}, {m.format}")
        summary = _range([errors[m.name] for m in matrices], small)
        strips.append(picture_row(label, strip(f"Error of {label}", f"{summary}, by layer", cells), summary))
    return element("figure", *strips, layer_axis(layers), _legend(small(low), f"{small(high)} (logarithmic)"))


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """Ends of a logarithmic scale over the values above 0, `_LEAST_RANGE` apart or more."""
    positive = [value for value in values if value > 0] or [1.0]
    low, high = min(positive), max(positive)
    missing = math.sqrt(max(_LEAST_RANGE * low / high, 1))
    return low / missing, high * missing


def _worst(known: Sequence[Matrix], errors: Mapping[str, float]) -> Markup:
    worst = sorted(known, key=lambda m: (-errors[m.name], m.name))[:_WORST]
    largest = errors[worst[0].name] or 1
    return table(
        ["matrix", "", "error", "format"],
        [[_title(m), bar(errors[m.name] / largest), small(errors[m.name]), m.format] for m in worst],
    )


def _title(matrix: Matrix) -> Markup:
    where = "" if matrix.layer is None else f"layer {matrix.layer}, "
    return joined([where, matrix.label])


def _cells(
    matrices: Sequence[Matrix], layers: Sequence[int], shades: Mapping[str, float], hint: Callable[[Matrix], str]
) -> list[Cell]:
    at = {m.layer: m for m in matrices}
    return [
        Cell(shade=shades[at[n].name], hint=f"layer {n}: {hint(at[n])}")
        if n in at
        else Cell(shade=None, hint=f"layer {n}: not known")
        for n in layers
    ]


def _range(values: Sequence[float], write: Callable[[float], str]) -> str:
    low, high = write(min(values)), write(max(values))
    if low == high:
        return low
    mantissa, _, power = low.partition(" · ")
    return f"{mantissa} – {high}" if power and high.endswith(power) else f"{low} – {high}"


def _format_shades(matrices: Sequence[Matrix]) -> dict[str, float]:
    """A shade for each format in use, darker for more bits, as far apart as they can be."""
    bits: dict[str, float] = {}
    for matrix in matrices:
        bits[matrix.format] = max(bits.get(matrix.format, 0), matrix.bits)
    ranked = sorted(bits, key=lambda form: (bits[form], form))
    if len(ranked) == 1:
        return {ranked[0]: 0.6}
    return {form: 0.2 + 0.8 * place / (len(ranked) - 1) for place, form in enumerate(ranked)}


def _format_legend(shades: Mapping[str, float]) -> Markup:
    labels = [element("span", swatch(faded(shade)), form) for form, shade in shades.items()]
    return element("div", *labels, class_="scale")


def _legend(low: str, high: str) -> Markup:
    cells = [Cell(shade=step / 15, hint="") for step in range(16)]
    picture = strip("Scale", f"from {low} to {high}", cells)
    return element("div", element("span", low), picture, element("span", high), class_="scale")


def _layer_table(rows: Mapping[str, Sequence[Matrix]], layers: Sequence[int], write: Callable[[Matrix], str]) -> Markup:
    at = {label: {m.layer: m for m in matrices} for label, matrices in rows.items()}
    body = [[f"{n}", *(write(column[n]) if n in column else "–" for column in at.values())] for n in layers]
    return table(["layer", *rows], body)
