"""Fonts, colours and lengths that every part of a conversation is drawn with. Lengths are in pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from PySide6.QtGui import QFont, QFontDatabase, QFontMetricsF, QPalette

from desktop.text import Block, Heading
from desktop.views.conversation.colours import Colours, colours

MEASURE = 70  # characters to a line
_FIXED = ("SF Mono", "Menlo", "Cascadia Mono", "Consolas", "DejaVu Sans Mono", "Liberation Mono", "Noto Sans Mono")
_HEADINGS = (1.5, 1.28, 1.12, 1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Style:
    """Made anew when font or palette change."""

    key: tuple[str, int]  # equal where font and palette are
    font: QFont
    code_font: QFont
    small_font: QFont
    colours: Colours
    unit: float  # a quarter of a line: every gap is a multiple of it
    measure: int  # width of the column of text

    def gap(self, units: float) -> int:
        """A gap of so many units."""
        return round(self.unit * units)

    def line_height(self, block: Block) -> int:
        """Percent of the font's own height."""
        return 105 if isinstance(block, Heading) else 128

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


def style_of(font: QFont, palette: QPalette) -> Style:
    """The style that belongs to a widget's font and palette."""
    code = sized(font, 0.93)
    code.setFamilies([_fixed_family(), *font.families()])
    code.setStyleHint(QFont.StyleHint.Monospace)
    metrics = QFontMetricsF(font)
    return Style(
        key=(font.key(), palette.cacheKey()),
        font=QFont(font),
        code_font=code,
        small_font=sized(font, 0.88),
        colours=colours(palette),
        unit=metrics.height() / 4,
        measure=round(metrics.averageCharWidth() * MEASURE),
    )


@cache
def _fixed_family() -> str:
    """A family with letters of one width: the system's, or one that is known where its name is only an alias."""
    named = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont).family()
    there = set(QFontDatabase.families())
    return next((family for family in (named, *_FIXED) if family in there), named)
