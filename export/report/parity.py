"""Figures of verification, each with what it means, and activations against the end of float16."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from export.report.facts import HALF_MAX, Facts
from export.report.markup import Markup, element
from export.report.numbers import small
from export.report.pictures import Cell, columns, logarithmic, thermometer
from export.report.tables import details, table


def parity_section(facts: Facts) -> Markup:
    """How close the bundle is to its source, in plain words."""
    title = element("h2", "How close it is to the original")
    if not facts.verified:
        return element(
            "section",
            title,
            element("p", "Not measured: the bundle was exported with --no-verify. Export it again without, to know."),
        )
    scored = facts.parity.get("quality_positions")
    by = "the saved package" if facts.quality_by == "package" else "torch on the package’s weights"
    words = f"Scored at {scored:,.0f} positions of plain probe texts, by {by}. " if scored else ""
    cells = [
        element(
            "div",
            element("dt", name),
            element("dd", value),
            element("p", meaning, class_="quiet"),
        )
        for name, value, meaning in _figures(facts)
    ]
    return element(
        "section",
        title,
        element(
            "p",
            words,
            "KL divergence is what the bundle’s prediction of the next token costs beyond the original’s, "
            "in nats: 0 is no difference.",
        ),
        element("dl", *cells, class_="figures"),
    )


def _figures(facts: Facts) -> Iterator[tuple[str, str, str]]:
    """Name, value and meaning of each figure that is there."""
    parity = facts.parity
    limit = facts.tolerance.get("mean_kl")
    allowed = f" The recipe allows {limit:g}." if limit else ""
    yield "mean KL", f"{small(parity['mean_kl'])} nats", f"The average price of compression a token.{allowed}"
    if "p99_kl" in parity:
        yield (
            "99th percentile",
            f"{small(parity['p99_kl'])} nats",
            "One position in a hundred differs by more than this.",
        )
    if "top1_agreement" in parity:
        share = parity["top1_agreement"]
        yield (
            "same first choice",
            f"{share:.1%}",
            (f"At {100 * share:.0f} of 100 positions the bundle and the original find the same token most likely."),
        )
    if "perplexity_ratio" in parity:
        ratio = parity["perplexity_ratio"]
        side = "more" if ratio > 1 else "less"
        yield (
            "perplexity",
            f"× {ratio:.4f}",
            (
                f"The bundle is {side} surprised by the probe texts than the original; × 1 is as much. "
                "On so few positions, small differences are chance."
            ),
        )
    if "exact_max_kl" in parity:
        positions = parity.get("package_positions")
        where = f" (at {positions:,.0f} positions)" if positions else ""
        bound = parity.get("rounding_max_kl", facts.tolerance.get("exact_kl"))
        allowed = f" Up to {small(bound)} is rounding." if bound else ""
        meaning = (
            f"The largest difference between the program and the model on the same stored weights{where}.{allowed}"
        )
        yield "package against torch", f"≤ {small(parity['exact_max_kl'])} nats", meaning


def activation_section(facts: Facts) -> Markup | None:
    """The largest magnitudes, on a logarithmic scale under float16's largest number."""
    largest = max((value for _, value in facts.activations), default=facts.parity.get("largest_activation"))
    if largest is None or largest < 0:
        return None
    largest = max(largest, facts.parity.get("largest_activation", 0))
    if largest:
        room = math.log2(HALF_MAX / largest)
        words = f"The largest number in the program was {largest:,.4g}: " + (
            f"float16 ends at {HALF_MAX:,}, which leaves a factor of {_factor(HALF_MAX / largest)} (2 to the power of "
            f"{room:.1f})."
            if room > 0
            else f"beyond float16, which ends at {HALF_MAX:,}."
        )
    else:
        words = "Every number in the program was 0."
    values = facts.activations
    picture = _by_section(values) if len(values) > 1 else _single(largest)
    return element(
        "section",
        element("h2", "Room in float16"),
        element("p", words, " Devices compute this program in 16 bits, where a larger number becomes infinite."),
        picture,
        details(
            "Magnitudes as a table",
            table(["section", "largest", "of float16’s range"], [[n, f"{v:,.4g}", _percent(v)] for n, v in values]),
        )
        if len(values) > 1
        else None,
    )


def _factor(value: float) -> str:
    return f"{value:,.0f}" if 100 <= value < 1e9 else small(value)


def _percent(value: float) -> str:
    return f"{small(100 * value / HALF_MAX)} %"


def _span(values: Sequence[float]) -> tuple[float, float, list[float]]:
    """Low and high end of the scale, and the powers of ten between that get a line."""
    positive = [value for value in values if value > 0] or [1.0]
    first = max(min(math.floor(math.log10(min(positive))), 2), -4)
    high = max(HALF_MAX * 1.6, max(positive) * 1.2)
    powers = [10.0**power for power in range(first, math.ceil(math.log10(high)))]
    return powers[0], high, powers


def _by_section(values: Sequence[tuple[str, float]]) -> Markup:
    low, high, powers = _span([value for _, value in values])
    scale = logarithmic(low, high)
    cells = [
        Cell(shade=scale(value), hint=f"{label}: {value:,.4g}, {_percent(value)} of float16’s range")
        for label, value in values
    ]
    picture = columns(
        "Largest magnitude by section",
        f"Bars on a logarithmic scale from {low:g}; a dashed line marks {HALF_MAX:,}.",
        cells,
        lines=[scale(power) for power in powers],
        limit=scale(HALF_MAX),
    )
    ticks = [element("span", f"{power:,g}", style=f"bottom:{100 * scale(power):.2f}%") for power in powers[:-1]]
    ticks.append(element("span", f"{HALF_MAX:,}", style=f"bottom:{100 * scale(HALF_MAX):.2f}%", class_="last"))
    names = [values[0][0], values[len(values) // 2][0], values[-1][0]] if len(values) > 4 else [n for n, _ in values]
    return element(
        "figure",
        element(
            "div",
            element("div", *ticks, class_="ticks", aria_hidden="true"),
            picture,
            element("div"),
            element("div", *(element("span", name) for name in names), class_="axis"),
            class_="chart",
        ),
        element("figcaption", "The largest magnitude that any op of a section gave, on a logarithmic scale."),
    )


def _single(largest: float) -> Markup:
    low, high, powers = _span([largest])
    scale = logarithmic(low, high)
    picture = thermometer(
        f"Largest magnitude {largest:,.4g}",
        f"On a logarithmic scale from {low:g}; a dashed line marks {HALF_MAX:,}.",
        scale(largest),
        lines=[scale(power) for power in powers],
        limit=scale(HALF_MAX),
    )
    ticks = [
        element(
            "span", f"{power:,g}", style=f"left:{100 * scale(power):.2f}%", class_="first" if power == low else None
        )
        for power in powers[:-1]
    ]
    ticks.append(element("span", f"{HALF_MAX:,}", style=f"left:{100 * scale(HALF_MAX):.2f}%", class_="last"))
    return element("figure", picture, element("div", *ticks, class_="ticks flat", aria_hidden="true"))
