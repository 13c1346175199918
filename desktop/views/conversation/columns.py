"""Widths of a table's columns."""

from __future__ import annotations

from collections.abc import Sequence


def share(least: Sequence[int], natural: Sequence[int], room: int) -> list[int]:
    """Widths of columns that fill `room` at most, each between its `least` and its `natural` width.

    What is left of `room` beyond all least widths goes first to the columns that a fair share of it satisfies; the
    others share the rest by what each still needs. Where `room` is less than all least widths, these are the answer.
    """
    widths = list(least)
    left = room - sum(least)
    wanting = [column for column in range(len(widths)) if natural[column] > least[column]]
    while wanting and left > 0:
        content = [column for column in wanting if natural[column] - least[column] <= left // len(wanting)]
        if not content:
            need = sum(natural[column] - least[column] for column in wanting)
            for column in wanting:
                widths[column] += left * (natural[column] - least[column]) // need
            break
        for column in content:
            widths[column] = natural[column]
            left -= natural[column] - least[column]
        wanting = [column for column in wanting if column not in content]
    return widths
