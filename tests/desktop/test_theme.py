"""Colours, text size and motion: readable in every scheme, and changed live."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from desktop.settings import Settings
from desktop.views.theme import palette, theme
from desktop.views.tokens import DARK, DARK_CONTRAST, LIGHT, LIGHT_CONTRAST, Tokens

SCHEMES = {"light": LIGHT, "dark": DARK, "light contrast": LIGHT_CONTRAST, "dark contrast": DARK_CONTRAST}
GROUNDS = ("window", "sidebar", "raised", "hover", "bubble", "notice")
PAIRS = [
    *((text, ground) for text in ("text", "muted", "accent", "danger", "warning", "success") for ground in GROUNDS),
    *((f"code_{name}", "code_background") for name in ("text", "keyword", "string", "number", "comment", "name")),
    ("code_operator", "code_background"),
    ("text", "accent_soft"),
    ("text", "mark"),
    ("on_accent", "accent"),
    ("on_accent", "accent_hover"),
]
"""Every text and what may lie behind it."""
LINES = [(line, ground) for line in ("outline", "accent") for ground in ("window", "sidebar", "raised")]


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, as WCAG 2.2 defines it."""

    def linear(part: float) -> float:
        return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def too_weak(tokens: Tokens, pairs: list[tuple[str, str]], least: float) -> dict[tuple[str, str], float]:
    ratios = {pair: contrast(getattr(tokens, pair[0]), getattr(tokens, pair[1])) for pair in pairs}
    return {pair: round(ratio, 2) for pair, ratio in ratios.items() if ratio < least}


def test_contrast_is_what_wcag_says_it_is() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # the well-known grey just below AA


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_text_is_readable_on_every_ground(scheme: str) -> None:
    assert too_weak(SCHEMES[scheme], PAIRS, 7 if "contrast" in scheme else 4.5) == {}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_lines_that_mean_something_can_be_seen(scheme: str) -> None:
    assert too_weak(SCHEMES[scheme], LINES, 3) == {}


def test_every_token_is_judged_or_carries_no_meaning() -> None:
    judged = {name for pair in PAIRS + LINES for name in pair}
    assert set(asdict(LIGHT)) - judged == {"hairline"}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_palettes_texts_are_readable_on_its_grounds(scheme: str) -> None:
    roles = QPalette.ColorRole
    pairs = [
        (roles.WindowText, roles.Window),
        (roles.Text, roles.Base),
        (roles.Text, roles.AlternateBase),
        (roles.PlaceholderText, roles.Base),
        (roles.ButtonText, roles.Button),
        (roles.ToolTipText, roles.ToolTipBase),
        (roles.HighlightedText, roles.Highlight),
        (roles.Link, roles.Window),
    ]
    made = palette(SCHEMES[scheme])
    assert [p for p in pairs if contrast(made.color(p[0]).name(), made.color(p[1]).name()) < 4.5] == []


def test_dark_and_light_are_taken_at_once(application: QApplication, qtbot: QtBot) -> None:
    label = QLabel("text")
    qtbot.addWidget(label)
    for settings, tokens in ((Settings(theme="dark"), DARK), (Settings(theme="light"), LIGHT)):
        with qtbot.waitSignal(theme().changed):
            theme().apply(settings)
        assert label.palette().color(QPalette.ColorRole.WindowText) == QColor(tokens.text)
        assert theme().dark == (settings.theme == "dark")


def test_the_systems_theme_is_followed_while_it_changes(application: QApplication) -> None:
    theme().apply(Settings(theme="system"))
    hints = application.styleHints()
    hints.colorSchemeChanged.emit(Qt.ColorScheme.Dark)
    assert theme().tokens == DARK
    assert application.palette().color(QPalette.ColorRole.Window) == QColor(DARK.window)
    hints.colorSchemeChanged.emit(Qt.ColorScheme.Light)
    assert theme().tokens == LIGHT


def test_a_theme_that_was_chosen_stays_when_the_systems_changes(application: QApplication) -> None:
    theme().apply(Settings(theme="light"))
    application.styleHints().colorSchemeChanged.emit(Qt.ColorScheme.Dark)
    assert theme().tokens == LIGHT
    application.styleHints().colorSchemeChanged.emit(Qt.ColorScheme.Light)


def test_high_contrast_changes_the_colours(application: QApplication) -> None:
    theme().apply(Settings(theme="light", high_contrast=True))
    assert theme().tokens == LIGHT_CONTRAST
    theme().apply(Settings(theme="dark", high_contrast=True))
    assert theme().tokens == DARK_CONTRAST


@pytest.mark.parametrize("percent", [80, 150, 200])
def test_text_grows_and_shrinks_at_once(application: QApplication, qtbot: QtBot, percent: int) -> None:
    theme().apply(Settings(text_size=100))
    label = QLabel("text")
    qtbot.addWidget(label)
    label.show()
    before = label.fontInfo().pointSizeF()
    theme().apply(Settings(text_size=percent))
    assert label.fontInfo().pointSizeF() == pytest.approx(before * percent / 100, rel=0.05)


def test_reduced_motion_is_what_the_user_says(application: QApplication) -> None:
    theme().apply(Settings(reduced_motion="on"))
    assert theme().reduced_motion
    theme().apply(Settings(reduced_motion="off"))
    assert not theme().reduced_motion


def test_settings_that_nobody_sees_leave_all_as_it_looks(application: QApplication, qtbot: QtBot) -> None:
    theme().apply(Settings())
    with qtbot.assertNotEmitted(theme().changed):
        theme().apply(Settings(model="bundle:other", reduced_motion="on", send_with="ctrl_enter"))
    assert theme().reduced_motion
