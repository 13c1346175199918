"""The sections of the page in their order; one without material is left out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from export.report.facts import Facts, Share
from export.report.markup import Markup, element, joined
from export.report.matrices import bits_section, error_section
from export.report.operations import census_section
from export.report.parity import activation_section, parity_section
from export.report.pictures import stack
from export.report.tables import details, swatch, table
from runtime.sizes import data_size


def every(facts: Facts) -> Iterator[Markup]:
    """Each section that the bundle has material for."""
    makers = (parity_section, size_section, bits_section, error_section, activation_section, census_section)
    for make in (*makers, origin_section, files_section):
        section = make(facts)
        if section is not None:
            yield section


def size_section(facts: Facts) -> Markup | None:
    """What the bytes are spent on."""
    if not facts.bytes or not facts.shares:
        return None
    total = sum(share.bytes for share in facts.shares) or 1
    shades = _shades(len(facts.shares))
    largest = facts.shares[0]
    words = f"The largest part is “{largest.label}” with {largest.bytes / total:.0%} of {data_size(total)}."
    picture = stack(
        "Size by part",
        "; ".join(f"{share.label} {share.bytes / total:.1%}" for share in facts.shares),
        [
            (share.bytes / total, shade, f"{share.label}: {data_size(share.bytes)}, {share.bytes / total:.1%}")
            for share, shade in zip(facts.shares, shades, strict=True)
        ],
    )
    rows = [_share_row(share, shade, total) for share, shade in zip(facts.shares, shades, strict=True)]
    return element(
        "section",
        element("h2", "What the bytes are spent on"),
        element("p", words, _asked(facts)),
        element("figure", picture),
        table(["part", "format", "size", "share", "bits a weight"], rows),
    )


def _asked(facts: Facts) -> str | None:
    """What --size allowed, against what came of it."""
    if facts.size_asked is None:
        return None
    stored = sum(share.bytes for share in facts.shares if share.weights)
    most = all(m.format == "lut8" for m in facts.matrices)
    return (
        f" The size asked for allows the tensors {data_size(facts.size_asked)}; they take {data_size(stored)}"
        f"{', with eight bits everywhere, which is the most there are' if most else ''}."
    )


def _share_row(share: Share, shade: float, total: int) -> Sequence[object]:
    bits = f"{8 * share.bytes / share.weights:.2f}" if share.weights else "–"
    label = joined([swatch(shade), share.label])
    return [label, share.formats or "–", data_size(share.bytes), _percent(share.bytes / total), bits]


def _percent(share: float) -> str:
    return "< 0.1%" if share < 0.0005 else f"{share:.1%}"


def _shades(count: int) -> list[float]:
    """Shades from full to faint, as far apart as they can be."""
    return [1 - 0.86 * place / max(count - 1, 1) for place in range(count)]


def origin_section(facts: Facts) -> Markup:
    """Source, recipe and tools."""
    pairs: dict[str, object] = {}
    if facts.source.get("name"):
        pairs["source"] = facts.source["name"]
    for key, label in (("revision", "revision"), ("sha256", "SHA-256 of the source")):
        if facts.source.get(key):
            pairs[label] = element("code", facts.source[key])
    pairs |= facts.settings
    if facts.calibrated_on:
        pairs["calibrated on"] = facts.calibrated_on
    pairs["made with"] = ", ".join(f"{name} {version}" for name, version in facts.tools.items())
    return element(
        "section",
        element("h2", "Where it comes from"),
        _pairs(pairs),
        element("p", "The recipe that was asked for:"),
        _pairs({key.replace("_", " "): _setting(value) for key, value in facts.recipe.items()}),
    )


def _setting(value: object) -> object:
    """A value of the recipe: itself, or as JSON, folded away where it is long."""
    if not isinstance(value, Mapping | list):
        return "none" if value is None else str(value)
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= 160:
        return element("code", text)
    return details(f"{len(value)} entries", element("code", text))


def files_section(facts: Facts) -> Markup:
    """Names, sizes and hashes."""
    items = [
        element("li", element("span", data_size(size)), element("b", path), element("code", digest))
        for path, size, digest in facts.files
    ]
    return element(
        "section",
        element("h2", "Files"),
        element("p", "Size and SHA-256 of every file; `shasum -a 256 FILE` must print the same."),
        element("ul", *items, class_="files"),
    )


def _pairs(pairs: Mapping[str, object]) -> Markup:
    cells = [cell for key, value in pairs.items() for cell in (element("dt", key), element("dd", value))]
    return element("dl", *cells, class_="pairs")
