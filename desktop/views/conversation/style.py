"""Fonts, colours and lengths that every part of a conversation is drawn with. Lengths are in pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from PySide6.QtGui import QColor, QFont, QFontDatabase, QFontMetricsF

from desktop.text import Block, Heading, Kind
from desktop.views.theme import theme

_FIXED = ("SF Mono", "Menlo", "Cascadia Mono", "Consolas", "DejaVu Sans Mono", "Liberation Mono", "Noto Sans Mono")
_HEADINGS = (1.5, 1.28, 1.12, 1.0, 1.0, 1.0)
_KINDS: tuple[Kind, ...] = ("keyword", "name", "string", "number", "comment", "operator")


@dataclass(frozen=True)
class Style:
    """Made anew when the theme changes."""

    font: QFont
    code_font: QFont
    small_font: QFont
    text: QColor
    muted: QColor
    line: QColor
    bubble: QColor
    accent: QColor
    on_accent: QColor
    found: QColor
    code_background: QColor
    code_text: QColor
    code: Mapping[Kind, QColor]
    outlined: bool  # high contrast: what has a background has an edge too
    unit: float  # a quarter of a line: every gap is a multiple of it
    measure: int  # width of the column of text

    @property
    def inset(self) -> int:
        """Pixels that a message is wider than its text, on each side."""
        return self.gap(2.5)

    def gap(self, units: float) -> int:
        """A gap of so many units."""
        return round(self.unit * units)

    def line_height(self, block: Block) -> int:
        """Percent of the font's own height."""
        return 105 if isinstance(block, Heading) else 128

    def text_height(self, text: str, width: int) -> int:
        """About how high a text of a message is in `width`: nothing is laid out."""
        letters = max(width / max(self.unit * 4 * 0.42, 1), 1)
        lines = len(text) / letters + text.count("\n") * 0.7 + 1
        return round(lines * self.unit * 5.2)

    def heading_font(self, level: int) -> QFont:
        """Font of a heading of `level` 1 to 6."""
        font = sized(self.font, _HEADINGS[level - 1])
        font.setWeight(QFont.Weight.DemiBold)
        return font


def sized(font: QFont, scale: float) -> QFont:
    """`font` times `scale`, whether its size is in points or in pixels."""
    made = QFont(font)
    if font.pixelSize() > 0:
        made.setPixelSize(max(round(font.pixelSize() * scale), 1))
    else:
        made.setPointSizeF(font.pointSizeF() * scale)
    return made


def current_style() -> Style:
    """The style that belongs to the application's theme now."""
    now = theme()
    font = now.font()
    code = sized(font, 0.93)
    code.setFamilies([_fixed_family(), *font.families()])
    code.setStyleHint(QFont.StyleHint.Monospace)
    metrics = QFontMetricsF(font)
    return Style(
        font=font,
        code_font=code,
        small_font=sized(font, 0.88),
        text=now.color("text"),
        muted=now.color("muted"),
        line=now.color("hairline"),
        bubble=now.color("bubble"),
        accent=now.color("accent"),
        on_accent=now.color("on_accent"),
        found=now.color("mark"),
        code_background=now.color("code_background"),
        code_text=now.color("code_text"),
        code={kind: now.color(f"code_{kind}") for kind in _KINDS},
        outlined=now.high_contrast,
        unit=metrics.height() / 4,
        measure=now.column(),
    )


@cache
def _fixed_family() -> str:
    """A family with letters of one width: the system's, or one that is known where its name is only an alias."""
    named = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont).family()
    there = set(QFontDatabase.families())
    return next((family for family in (named, *_FIXED) if family in there), named)
