"""Icons by name: Lucide's drawings (ISC licence, beside them) in the palette's text colour, sharp at every ratio."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path

from PySide6.QtCore import QByteArray, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QGuiApplication, QIcon, QIconEngine, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer

FOLDER = Path(__file__).with_name("lucide")


def icon(name: str, token: str | None = None) -> QIcon:
    """The icon `name`, drawn in the palette's text colour at the time of painting, or in the theme's `token`.

    Raises KeyError for a name that there is no drawing of.
    """
    _drawing(name)
    return QIcon(_Engine(name, token))


def names() -> list[str]:
    """Every name that `icon` knows."""
    return sorted(file.stem for file in FOLDER.glob("*.svg"))


@cache
def _drawing(name: str) -> bytes:
    file = FOLDER / f"{name}.svg"
    if not file.is_file():
        raise KeyError(f"there is no icon {name!r}")
    return file.read_bytes()


@lru_cache(maxsize=512)
def _pixmap(name: str, colour: str, width: int, height: int, ratio: float) -> QPixmap:
    """`width` and `height` in device pixels."""
    renderer = QSvgRenderer(QByteArray(_drawing(name).replace(b"currentColor", colour.encode())))
    pixmap = QPixmap(width, height)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    side = min(width, height)
    renderer.render(painter, QRectF((width - side) / 2, (height - side) / 2, side, side))
    painter.end()
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


class _Engine(QIconEngine):
    """Chooses the colour when it paints, so that a change of theme needs no new icons."""

    def __init__(self, name: str, token: str | None) -> None:
        super().__init__()
        self._name = name
        self._token = token

    def clone(self) -> QIconEngine:
        return _Engine(self._name, self._token)

    def _colour(self, mode: QIcon.Mode) -> QColor:
        palette = QGuiApplication.palette()
        if mode == QIcon.Mode.Disabled:
            return palette.color(QPalette.ColorGroup.Disabled, QPalette.ColorRole.ButtonText)
        if self._token is not None:
            from desktop.views.theme import theme

            return theme().color(self._token)
        if mode == QIcon.Mode.Selected:
            return palette.color(QPalette.ColorRole.HighlightedText)
        return palette.color(QPalette.ColorRole.ButtonText)

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        ratio = painter.device().devicePixelRatioF()
        painter.drawPixmap(rect, self.scaledPixmap(rect.size(), mode, state, ratio))

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        return self.scaledPixmap(size, mode, state, 1.0)

    def scaledPixmap(self, size: QSize, mode: QIcon.Mode, _state: QIcon.State, scale: float) -> QPixmap:
        width, height = round(size.width() * scale), round(size.height() * scale)
        return _pixmap(self._name, self._colour(mode).name(), max(width, 1), max(height, 1), scale)
