"""The page as a whole: head, what matters first, then a section a subject."""

from __future__ import annotations

from export.report import sections
from export.report.facts import Facts
from export.report.markup import Markup, element, joined, trusted
from export.report.numbers import compact
from export.report.style import STYLE
from runtime.sizes import data_size

# No script, no request: a page that was tampered with through its bundle could not do more than look odd.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page(facts: Facts) -> str:
    """The finished document."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name_="color-scheme", content="light dark"),
        element("title", f"{facts.name}: Falconet bundle"),
        element("style", trusted(STYLE)),
    )
    body = element("body", _opening(facts), element("main", *sections.every(facts)), _closing(facts))
    return "<!doctype html>\n" + element("html", head, body, lang="en") + "\n"


def _opening(facts: Facts) -> Markup:
    tiles = {"size": data_size(facts.bytes)}
    if facts.bits is not None:
        tiles["bits a weight"] = f"{facts.bits:.2f}"
    if facts.weights:
        tiles["weights"] = compact(facts.weights)
    if facts.layers:
        tiles["layers"] = f"{len(facts.layers)}"
    return element(
        "header",
        element("h1", facts.name),
        element("p", _summary(facts), class_="lead"),
        element("dl", *(element("div", element("dt", k), element("dd", v)) for k, v in tiles.items()), class_="tiles"),
    )


def _summary(facts: Facts) -> str:
    origin = f" from {facts.source['name']}" if facts.source.get("name") else ""
    if not facts.verified:
        return f"A Core ML bundle{origin}, exported without verification: how close it is to the original is not known."
    words = f"A Core ML bundle{origin}, compared with the original weights before it was written"
    if "top1_agreement" in facts.parity:
        words += f": at {facts.parity['top1_agreement']:.1%} of the positions both find the same token most likely"
    return words + "."


def _closing(facts: Facts) -> Markup:
    return element(
        "footer", joined(["Written by Falconet from the bundle with identity ", element("code", facts.sha256), "."])
    )
