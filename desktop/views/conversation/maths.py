"""Formulas: LaTeX to drawings by ziamath, made beside the window's thread and kept for a while."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QByteArray
from PySide6.QtGui import QColor
from PySide6.QtSvg import QSvgRenderer

from desktop.views.conversation.work import work

UNIT = 24.0
"""Size of the font that drawings are made at; they are scaled to any other."""

_KEPT = 300  # drawings, about 10 kB each
_INK = "#010203"  # stands for the colour of the text
_UNKNOWN = re.compile(r">\s*\\[A-Za-z]")
_LONGEST = 4000  # characters; nobody typesets more, and time grows with it


@dataclass(frozen=True)
class Drawing:
    """A formula as SVG, in units of a font of size UNIT."""

    svg: bytes
    width: float
    ascent: float  # above the base line
    descent: float


def draw(source: str, display: bool) -> Drawing | None:
    """The drawing of LaTeX `source`; None where it cannot be parsed. `display`: as on a line of its own."""
    from latex2mathml.converter import convert  # these take 0.4 s
    from ziamath.config import config
    from ziamath.zmath import Latex

    if len(source) > _LONGEST:
        return None
    config.svg2 = False  # plain paths: what every version of Qt draws
    try:
        if _UNKNOWN.search(convert(source)):
            return None
        made = Latex(source, size=UNIT, color=_INK, inline=not display)
        svg = made.svg()
    except Exception:  # noqa: BLE001  # both parsers raise whatever their tables stumble on
        return None
    box = [float(number) for number in re.findall(r'viewBox="([^"]+)"', svg)[0].split()]
    return Drawing(svg.encode(), box[2], -box[1], box[3] + box[1])


class Drawings:
    """Drawings by source. Asking for one that is not there yet begins it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, bool], Drawing | None] = OrderedDict()
        self._waiting: dict[tuple[str, bool], list[Callable[[], None]]] = {}
        self._renderers: OrderedDict[tuple[str, bool, str], QSvgRenderer] = OrderedDict()

    def known(self, source: str, display: bool) -> bool:
        """Whether `find` has its final answer."""
        return (source, display) in self._kept

    def find(self, source: str, display: bool) -> Drawing | None:
        """The drawing; None where there is none, or none yet."""
        key = (source, display)
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def request(self, source: str, display: bool, ready: Callable[[], None]) -> None:
        """Call `ready` once when the answer is known."""
        key = (source, display)
        waiting = self._waiting.setdefault(key, [])
        waiting.append(ready)
        if len(waiting) == 1:
            work().submit(lambda: draw(source, display), self, lambda drawings, made: drawings._keep(key, made))

    def _keep(self, key: tuple[str, bool], made: Drawing | None) -> None:
        self._kept[key] = made
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        for ready in self._waiting.pop(key, []):
            ready()

    def renderer(self, source: str, display: bool, colour: QColor) -> QSvgRenderer | None:
        """What paints the drawing in `colour`."""
        drawing = self.find(source, display)
        if drawing is None:
            return None
        key = (source, display, colour.name())
        if key not in self._renderers:
            self._renderers[key] = QSvgRenderer(QByteArray(drawing.svg.replace(_INK.encode(), colour.name().encode())))
            while len(self._renderers) > _KEPT:
                self._renderers.popitem(last=False)
        return self._renderers[key]


drawings = Drawings()
