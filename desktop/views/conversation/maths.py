"""Drawings of formulas, made beside the window's thread and kept for a while."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from PySide6.QtCore import QByteArray
from PySide6.QtGui import QColor
from PySide6.QtSvg import QSvgRenderer

from desktop.text import INK, Drawing, draw
from desktop.views.conversation.work import work

_KEPT = 3000  # drawings, about 10 kB each; one that goes while its message is shown leaves a gap there
_READY = 300  # drawings that are parsed for painting


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
            self._renderers[key] = painted(drawing, colour)
            while len(self._renderers) > _READY:
                self._renderers.popitem(last=False)
        return self._renderers[key]


def painted(drawing: Drawing, colour: QColor) -> QSvgRenderer:
    """What paints a drawing in `colour`."""
    svg = drawing.svg.replace(INK.encode(), colour.name().encode())
    # Where none is asked for, Qt's PDFs have lines around all letters, as wide as this.
    return QSvgRenderer(QByteArray(svg.replace(b"<svg ", b'<svg stroke-width="0" ', 1)))


drawings = Drawings()
