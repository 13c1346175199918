"""The program's ops: how many of each, and where layers differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from export.report.facts import Facts, Section
from export.report.markup import Markup, element
from export.report.pictures import bar
from export.report.tables import table

_MOST_COLUMNS = 8  # kinds of section that a table can show; a program has three or four


@dataclass(frozen=True)
class Group:
    """Sections that hold the same ops: `size` layers, or what comes before or after them (0)."""

    label: str
    size: int
    ops: Mapping[str, int]


def census_section(facts: Facts) -> Markup | None:
    """Ops in all, then by the kinds of section there are."""
    shown = sorted(((n, c) for n, c in facts.ops.items() if n != "const"), key=lambda item: (-item[1], item[0]))
    if not shown:
        return None
    groups = grouped(facts.sections)
    columns = groups if len(groups) <= _MOST_COLUMNS else []
    usual = max(columns, key=lambda group: group.size).ops if columns else {}
    most = shown[0][1]
    rows = [
        [name, bar(count / most), f"{count:,}", *(_count(name, group, usual) for group in columns)]
        for name, count in shown
    ]
    return element(
        "section",
        element("h2", "What the program does"),
        element("p", f"{sum(count for _, count in shown):,} ops beside constants. {_words(groups)}"),
        table(["op", "", "in all", *(group.label for group in columns)], rows),
    )


def grouped(sections: Sequence[Section]) -> list[Group]:
    """Layers with the same ops together, in the order in which their first comes."""
    alike: dict[tuple[tuple[str, int], ...], list[int]] = {}
    for section in sections:
        if section.layer is not None:
            alike.setdefault(tuple(sorted(section.ops.items())), []).append(section.layer)
    layers = [Group(_ranges(numbers), len(numbers), dict(ops)) for ops, numbers in alike.items()]
    outer = [Group(s.label, 0, s.ops) for s in sections if s.layer is None]
    return [g for g in outer if g.label == "before"] + layers + [g for g in outer if g.label != "before"]


def _count(name: str, group: Group, usual: Mapping[str, int]) -> object:
    count = group.ops.get(name, 0)
    text = f"{count:,}" if count else "–"
    if group.size and count != usual.get(name, 0):
        return element("span", text, class_="different")
    return text


def _words(groups: Sequence[Group]) -> str:
    layers = [group for group in groups if group.size]
    if not layers:
        return ""
    if len(layers) == 1:
        return "All layers hold the same ops."
    usual = max(layers, key=lambda group: group.size)
    sentences = [
        f"{_capital(group.label)} {'differs' if group.size == 1 else 'differ'}: {_difference(group.ops, usual.ops)}."
        for group in layers
        if group is not usual
    ]
    if len(sentences) > 3:
        return f"There are {len(layers)} kinds of layer; most like one another are {usual.label}."
    counted = "is taken as usual" if usual.size == 1 else "are alike"
    return f"{_capital(usual.label)} {counted}. " + " ".join(sentences)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _difference(ops: Mapping[str, int], usual: Mapping[str, int]) -> str:
    changes = {name: ops.get(name, 0) - usual.get(name, 0) for name in sorted({*ops, *usual})}
    return ", ".join(f"{change:+d} {name}".replace("-", "−") for name, change in changes.items() if change)


def _ranges(numbers: Sequence[int]) -> str:
    """`layer 0`, `layers 1–31`, `layers 0, 4–7`. The numbers go up."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    written = [f"{run[0]}" if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs]
    more = f" and {len(written) - 4} more" if len(written) > 4 else ""
    return f"layer{'s' if len(numbers) > 1 else ''} {', '.join(written[:4])}{more}"
