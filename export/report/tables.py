"""Tables, rows of pictures and what folds away."""

from __future__ import annotations

from collections.abc import Sequence

from export.report.markup import Markup, element


def table(heads: Sequence[str], rows: Sequence[Sequence[object]], *, caption: str | None = None) -> Markup:
    """A table whose first column names its rows. A column whose head is empty holds bars and goes on small screens."""
    wide = {place for place, head in enumerate(heads) if not head}
    head = [
        element("th", label, scope="col", class_="wide" if place in wide else None) for place, label in enumerate(heads)
    ]
    body = [
        element(
            "tr",
            element("th", row[0], scope="row"),
            *(
                element("td", cell, class_="wide" if place in wide else None)
                for place, cell in enumerate(row[1:], start=1)
            ),
        )
        for row in rows
    ]
    made = element(
        "table",
        element("caption", caption) if caption else None,
        element("thead", element("tr", *head)),
        element("tbody", *body),
    )
    return element("div", made, class_="table", tabindex=0)


def picture_row(label: object, picture: Markup, summary: object) -> Markup:
    """A name, a strip and a figure side by side; on a phone the strip goes below."""
    return element(
        "div",
        element("div", label),
        element("div", picture, class_="picture"),
        element("div", summary),
        class_="row",
    )


def layer_axis(layers: Sequence[int]) -> Markup:
    """First, middle and last number of the layers, under strips."""
    ends = [layers[0], layers[len(layers) // 2], layers[-1]] if len(layers) > 4 else list(layers)
    marks = [element("span", f"layer {number}" if place == 0 else f"{number}") for place, number in enumerate(ends)]
    axis = element("div", *marks, class_="axis")
    return element("div", element("div"), element("div", axis, class_="picture"), element("div"), class_="row axes")


def details(summary: str, *children: Markup) -> Markup:
    """Folded away under one line."""
    return element("details", element("summary", summary), *children)


def swatch(shade: float) -> Markup:
    """A small square of the accent, for legends."""
    return element("span", class_="swatch", style=f"opacity:{shade:.3g}", aria_hidden="true")
