"""Colours of a conversation, mixed from the palette, so that they follow every theme."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtGui import QColor, QPalette

from desktop.text import Kind

_TURNS: Mapping[Kind, int] = {"keyword": 300, "name": 210, "string": 135, "number": 25}
"""Hues of code on the colour wheel, in degrees."""


@dataclass(frozen=True)
class Colours:
    """What each is for. Text colours keep a contrast of 4.5 to `base` where the palette's own text does."""

    base: QColor  # behind everything
    text: QColor
    muted: QColor  # second-rank text
    line: QColor  # hairlines
    surface: QColor  # behind code and one's own messages
    link: QColor
    focus: QColor
    found: QColor  # behind what a search found
    code: Mapping[Kind, QColor]


def colours(palette: QPalette) -> Colours:
    """The colours that belong to `palette`."""
    role = QPalette.ColorRole
    base, text = palette.color(role.Base), palette.color(role.Text)
    muted = mix(text, base, 0.36)
    code: dict[Kind, QColor] = {kind: _legible(turn, base) for kind, turn in _TURNS.items()}
    code["comment"], code["operator"] = muted, text
    return Colours(
        base=base,
        text=text,
        muted=muted,
        line=mix(base, text, 0.13),
        surface=mix(base, text, 0.045),
        link=palette.color(role.Link),
        focus=palette.color(role.Highlight),
        found=mix(base, _legible(50, base), 0.35),
        code=code,
    )


def mix(first: QColor, second: QColor, share: float) -> QColor:
    """`first` with `share` (0 to 1) of `second` in it."""
    parts = zip(first.getRgbF()[:3], second.getRgbF()[:3], strict=True)  # type: ignore[call-overload]
    return QColor.fromRgbF(*(a + (b - a) * share for a, b in parts))


def _legible(hue: int, base: QColor) -> QColor:
    """A colour of `hue` (degrees) that stands out of `base` with a contrast of 5 or more."""
    dark = luminance(base) < 0.2
    lightness = 0.60 if dark else 0.40
    colour = QColor.fromHslF(hue / 360, 0.55, lightness)
    while contrast(colour, base) < 5 and 0.02 < lightness < 0.98:
        lightness += 0.02 if dark else -0.02
        colour = QColor.fromHslF(hue / 360, 0.55, lightness)
    return colour


def luminance(colour: QColor) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.2)."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (colour.redF(), colour.greenF(), colour.blueF())
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: QColor, second: QColor) -> float:
    """Contrast ratio, 1 to 21 (WCAG 2.2)."""
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
