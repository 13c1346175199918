"""Icons: every name there is, sharp at every ratio, in the colour of the theme."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QIcon
from PySide6.QtWidgets import QApplication

from desktop.settings import Settings
from desktop.views.icons import FOLDER, icon, names
from desktop.views.theme import theme

NEEDED = (
    "copy check refresh edit play chevron-left chevron-right arrow-down alert stop send plus search folder pin archive "
    "trash settings more download upload menu x undo moon sun cpu cloud info"
)


def colours(picture: QIcon, side: int = 24, ratio: float = 1.0) -> set[str]:
    """Of the pixels that are covered whole."""
    image = picture.pixmap(QSize(side, side), ratio).toImage()
    points = [image.pixelColor(x, y) for x in range(image.width()) for y in range(image.height())]
    return {point.name() for point in points if point.alpha() == 255}


def test_the_names_that_the_window_uses_have_drawings(qapp: QApplication) -> None:
    assert set(NEEDED.split()) <= set(names())
    for name in names():
        assert not icon(name).pixmap(16, 16).toImage().isNull()


def test_a_name_without_a_drawing_is_a_bug_and_says_so() -> None:
    with pytest.raises(KeyError, match="nothing-such"):
        icon("nothing-such")


@pytest.mark.parametrize("ratio", [1.0, 1.25, 1.5, 2.0, 3.0])
def test_an_icon_has_as_many_pixels_as_the_screen(qapp: QApplication, ratio: float) -> None:
    pixmap = icon("copy").pixmap(QSize(16, 16), ratio)
    assert pixmap.size() == QSize(16, 16) * ratio
    assert pixmap.devicePixelRatio() == ratio


def test_an_icon_that_was_made_before_takes_the_new_themes_colour(application: QApplication) -> None:
    made = icon("stop"), icon("stop", "accent")
    for settings in (Settings(theme="light"), Settings(theme="dark")):
        theme().apply(settings)
        assert colours(made[0]) == {QColor(theme().tokens.text).name()}
        assert colours(made[1]) == {QColor(theme().tokens.accent).name()}


def test_a_disabled_icon_is_paler(application: QApplication) -> None:
    normal = icon("stop").pixmap(QSize(24, 24), 1.0, QIcon.Mode.Normal)
    disabled = icon("stop").pixmap(QSize(24, 24), 1.0, QIcon.Mode.Disabled)
    assert normal.toImage() != disabled.toImage()


def test_the_drawings_licence_lies_beside_them() -> None:
    assert "ISC License" in (FOLDER / "LICENSE").read_text(encoding="utf-8")
