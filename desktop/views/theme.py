"""Theme: the colours, the text size and the motion that the whole application uses now, changed live."""

from __future__ import annotations

import sys

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QFontMetricsF, QPalette
from PySide6.QtWidgets import QApplication

from desktop.settings import Settings
from desktop.views.sheet import style_sheet
from desktop.views.tokens import Tokens, tokens

SMALLEST_TEXT, LARGEST_TEXT = 80, 200  # percent of the system's size
_MEASURE, _WIDE = 70, 120  # characters to a line of running text; to one of a wide conversation
_PLAIN_FAMILIES = ("Inter", "Noto Sans", "Cantarell", "Ubuntu", "DejaVu Sans")
"""Tried in this order where a Linux desktop names no font of its own."""
_CHINESE_FAMILIES = ("Noto Sans CJK SC", "Source Han Sans SC", "WenQuanYi Micro Hei")
_SYSTEM_SMALLEST_POINTS = 10.5  # a Linux without a desktop says 9, which is hard to read


class Theme(QObject):
    """One for each application: `theme()` returns it. `changed` is emitted after other colours or another font were
    set."""

    changed = Signal()

    def __init__(self, application: QApplication) -> None:
        super().__init__(application)
        self._application = application
        self._settings = Settings()
        self._font = _system_font()
        self._shown: tuple[Tokens, QFont, str] | None = None  # what the application has, and the width of its text
        if sys.platform.startswith("linux"):
            application.setStyle("Fusion")
        self.native = application.style().name() != "fusion"
        # Kept: PySide6 forgets the objects below this one with its last reference.
        self._hints = application.styleHints()
        self._scheme = self._hints.colorScheme()
        self._hints.colorSchemeChanged.connect(self._on_scheme)
        self._hints.accessibility().contrastPreferenceChanged.connect(self._refresh)
        self._refresh()

    @property
    def dark(self) -> bool:
        """Whether text is light on dark now."""
        if self._settings.theme == "system":
            return self._scheme == Qt.ColorScheme.Dark
        return self._settings.theme == "dark"

    @property
    def high_contrast(self) -> bool:
        """Chosen here, or asked for by the system."""
        wanted = self._hints.accessibility().contrastPreference()
        return self._settings.high_contrast or wanted == Qt.ContrastPreference.HighContrast

    @property
    def reduced_motion(self) -> bool:
        """Whether nothing should move by itself: no fading, no sliding, no smooth scrolling."""
        if self._settings.reduced_motion == "system":
            wanted = self._hints.accessibility().property("motionPreference")  # None before Qt 6.12
            return getattr(wanted, "name", "") == "ReducedMotion"
        return self._settings.reduced_motion == "on"

    @property
    def tokens(self) -> Tokens:
        """The colours in use."""
        return tokens(dark=self.dark, high_contrast=self.high_contrast)

    def color(self, name: str) -> QColor:
        """A token as a QColor; AttributeError for a name that is none."""
        return QColor(getattr(self.tokens, name))

    def scaled(self, pixels: float) -> int:
        """A length that grows with the text size."""
        return round(pixels * self._settings.text_size / 100)

    def measure(self) -> int:
        """Pixels of a line of about 70 characters."""
        return self._width(_MEASURE)

    def column(self) -> int:
        """Pixels of a conversation's lines, where the window has room: of 70 or 120 characters, as the user chose."""
        return self._width(_WIDE if self._settings.text_column == "wide" else _MEASURE)

    def font(self, *, scale: float = 1.0, bold: bool = False, fixed: bool = False) -> QFont:
        """The application's font, times `scale`; `fixed`: the system's one for code."""
        font = QFont(self._application.font())
        if fixed:
            font.setFamilies([QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont).family(), "monospace"])
            font.setStyleHint(QFont.StyleHint.Monospace)
        font.setPointSizeF(font.pointSizeF() * scale)
        if bold:
            font.setWeight(QFont.Weight.DemiBold)
        return font

    def apply(self, settings: Settings) -> None:
        """Take theme, text size, width of the text, contrast and motion from `settings`."""
        self._settings = settings
        wanted = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}.get(settings.theme)
        # Native parts too: title bars, file dialogs, menus.
        if wanted is None:
            self._hints.unsetColorScheme()
        else:
            self._hints.setColorScheme(wanted)
        self._refresh()

    def _width(self, characters: int) -> int:
        return round(QFontMetricsF(self._application.font()).averageCharWidth() * characters)

    def _on_scheme(self, scheme: Qt.ColorScheme) -> None:
        self._scheme = scheme
        self._refresh()

    def _refresh(self) -> None:
        font = QFont(self._font)
        percent = min(max(self._settings.text_size, SMALLEST_TEXT), LARGEST_TEXT)
        font.setPointSizeF(self._font.pointSizeF() * percent / 100)
        shown = (self.tokens, font, self._settings.text_column)
        if shown == self._shown:  # every widget would be styled, and every message written, anew
            return
        self._shown = shown
        self._application.setFont(font)
        self._application.setPalette(palette(self.tokens))
        self._application.setStyleSheet(style_sheet(self.tokens, percent / 100, native=self.native))
        self.changed.emit()


def theme() -> Theme:
    """The application's theme, made when it is first asked for. Needs a QApplication."""
    application = QApplication.instance()
    assert isinstance(application, QApplication), "a theme needs a QApplication"
    found = application.findChild(Theme)
    return found if isinstance(found, Theme) else Theme(application)


def palette(tokens: Tokens) -> QPalette:
    """Qt's roles from our tokens."""
    roles = QPalette.ColorRole
    colours = {
        roles.Window: tokens.window,
        roles.WindowText: tokens.text,
        roles.Base: tokens.raised,
        roles.AlternateBase: tokens.sidebar,
        roles.Text: tokens.text,
        roles.PlaceholderText: tokens.muted,
        roles.Button: tokens.raised,
        roles.ButtonText: tokens.text,
        roles.BrightText: tokens.danger,
        roles.ToolTipBase: tokens.raised,
        roles.ToolTipText: tokens.text,
        roles.Highlight: tokens.accent,
        roles.HighlightedText: tokens.on_accent,
        roles.Accent: tokens.accent,
        roles.Link: tokens.accent,
        roles.LinkVisited: tokens.accent,
        roles.Light: tokens.raised,
        roles.Midlight: tokens.hover,
        roles.Mid: tokens.hairline,
        roles.Dark: tokens.outline,
        roles.Shadow: tokens.outline,
    }
    result = QPalette()
    for role, colour in colours.items():
        result.setColor(role, QColor(colour))
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        result.setColor(QPalette.ColorGroup.Disabled, role, QColor(tokens.outline))
    return result


def _system_font() -> QFont:
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    if sys.platform.startswith("linux"):
        if font.family() in ("Sans Serif", "Sans", "sans-serif"):  # no desktop chose one
            known = set(QFontDatabase.families())
            chosen = [family for family in (*_PLAIN_FAMILIES, *_CHINESE_FAMILIES) if family in known]
            font.setFamilies([*chosen, font.family()])
        font.setPointSizeF(max(font.pointSizeF(), _SYSTEM_SMALLEST_POINTS))
    return font
