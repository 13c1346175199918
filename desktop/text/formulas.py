"""Formulas: LaTeX as drawings and as MathML. What a model wrote may be no LaTeX, and means no harm only to the eye."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from xml.etree.ElementTree import Element, tostring

UNIT = 24.0
"""Size of the font that drawings are made at; they are scaled to any other."""

INK = "#010203"
"""Stands for the colour of the text in a drawing."""

_LONGEST = 4000  # characters; nobody typesets more, and time grows with it
_DEEPEST = 100  # elements within each other
# ziamath draws what is in a row or a cell twice as often as that, so time doubles with each around it. A sign that is
# drawn once is a unit, of 0.3 to 0.9 ms.
_DEAREST = 6500
_TWICE = {"mrow", "mtd", "mstyle"}
_DEFINITION = re.compile(r"\\(new|renew|provide)(command|environment)|\\def|\\let|\\DeclareMath")
_UNKNOWN = re.compile(r"\s*\\[A-Za-z]")

# Of MathML what draws: no links, no classes and no styles, which are a page's own.
_ELEMENTS = re.compile(
    "math|none|m(row|i|n|o|text|s|space|frac|sqrt|root|style|padded|phantom|enclose|sub|sup|subsup|under|over|underover|"
    "multiscripts|prescripts|table|tr|td)"
)
_ATTRIBUTES = re.compile(
    "accent|accentunder|depth|display|displaystyle|fence|form|height|largeop|linethickness|lspace|movablelimits|notation|"
    "rspace|scriptlevel|separator|stretchy|symmetric|voffset|width|(max|min)size|math(background|color|size|variant)|"
    "column(align|lines|spacing)|row(lines|spacing)"
)
_PARTS = {"mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2, "msubsup": 3, "munderover": 3}


@dataclass(frozen=True)
class Drawing:
    """A formula as SVG, in units of a font of size UNIT."""

    svg: bytes
    width: float
    ascent: float  # above the base line
    descent: float


def draw(source: str, display: bool) -> Drawing | None:
    """The drawing of LaTeX `source`; None where it cannot be parsed. `display`: as on a line of its own."""
    element = _parsed(source, display)
    if element is None or _units(element) > _DEAREST:
        return None
    svg = _svg(source, display) or _svg(element, display)
    if svg is None:
        return None
    box = [float(number) for number in re.findall(r'viewBox="([^"]+)"', svg)[0].split()]
    return Drawing(svg.encode(), box[2], -box[1], box[3] + box[1])


def _svg(formula: str | Element, display: bool) -> str | None:
    """Of LaTeX, where ziamath betters what is made of it; of MathML, where it stumbles over that."""
    from ziamath.config import config  # takes 0.3 s
    from ziamath.zmath import Latex, Math

    config.svg2 = False  # plain paths: what every version of Qt draws
    try:
        if isinstance(formula, str):
            return Latex(formula, size=UNIT, color=INK, inline=not display).svg()
        formula.set("mathcolor", INK)
        return Math(formula, size=UNIT).svg()
    except Exception:  # noqa: BLE001  # it raises whatever its tables stumble on
        return None


def mathml(source: str, display: bool) -> str | None:
    """LaTeX `source` as an element of a page, safe in any; None where it cannot be parsed."""
    element = _parsed(source, display)
    return None if element is None else tostring(element, encoding="unicode")


def _parsed(source: str, display: bool) -> Element | None:
    if len(source) > _LONGEST or _DEFINITION.search(source):  # of which a line can ask for billions of signs
        return None
    from latex2mathml.converter import convert_to_element  # takes 0.1 s

    try:
        element = convert_to_element(source, display="block" if display else "inline")
    except Exception:  # noqa: BLE001  # it raises whatever its tables stumble on
        return None
    if _depth(element) > _DEEPEST:
        return None
    if any(_UNKNOWN.match(part.text or "") or len(part) < _PARTS.get(part.tag, 0) for part in element.iter()):
        return None
    return _cleaned(element)


def _depth(element: Element) -> int:
    """How many elements are within each other; counted without recursion, of which a formula may ask for too much."""
    depth, level = 0, [element]
    while level:
        depth, level = depth + 1, [part for one in level for part in one]
    return depth


def _units(element: Element) -> int:
    """What a drawing takes."""
    if not len(element):
        return 1
    return (2 if element.tag in _TWICE else 1) * sum(map(_units, element))


def _cleaned(element: Element) -> Element:
    """Its safe parts, and its texts as texts: the parser leaves references in them, and writes "<" as it is."""
    made = Element(element.tag if _ELEMENTS.fullmatch(element.tag) else "mrow")
    made.attrib.update({name: unescape(value) for name, value in element.attrib.items() if _ATTRIBUTES.fullmatch(name)})
    made.text = unescape(element.text or "")
    made.extend(map(_cleaned, element))
    first = len(made) - _PARTS.get(made.tag, len(made)) + 1
    if first > 1:  # brackets around a base come as parts of their own
        base = Element("mrow")
        base.extend(made[:first])
        made[:first] = [base]
    return made
