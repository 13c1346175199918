"""The window's tests: no screen, a data folder of their own, and the application as the program makes it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

# Before Qt is asked for an application.
os.environ["QT_QPA_PLATFORM"] = "offscreen"

from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtGui import QPdfWriter
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.desk import Desk
from desktop.settings import Settings
from desktop.store.store import Store
from desktop.translation import set_language
from desktop.views.sidebar.sidebar import Sidebar
from desktop.views.theme import theme
from tests.desktop.engines import end

TEXT_POINTS = 10.5  # as large as text is on a Linux that says nothing


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of one test; it does not exist yet."""
    folder = tmp_path / "data"
    monkeypatch.setenv("FALCONET_DATA", str(folder))
    return folder


@pytest.fixture(scope="session")
def qapp(qapp: QApplication) -> QApplication:
    """The application with its theme (style, fonts, palette, sheet), in English and in one size whatever the system's
    are."""
    theme()._font.setPointSizeF(TEXT_POINTS)
    theme().apply(Settings())
    set_language(qapp, "en")
    return qapp


@pytest.fixture(autouse=True)
def widgets_end_with_their_test(qapp: QApplication) -> Iterator[None]:
    """Qt deletes what was told to `deleteLater` when a loop comes round: between tests none does, and each widget that
    is left makes every change of theme slower."""
    yield
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture(autouse=True)
def no_button_of_the_mouse_is_left_pressed(qapp: QApplication) -> Iterator[None]:
    """A double click of QTest has no release of its own, and tests that come later would be told that it is held."""
    yield
    assert QApplication.mouseButtons() == Qt.MouseButton.NoButton


@pytest.fixture
def application(qapp: QApplication) -> Iterator[QApplication]:
    """For tests that change theme or language: both are put back."""
    yield qapp
    set_language(qapp, "en")
    theme().apply(Settings())


@pytest.fixture(scope="session")
def tiny_cache(shared_folder: Path) -> Path:
    """A cache that holds the embedded model's bundle, made once for all of xdist's workers. Not to be changed."""
    from runtime import embedded_bundle

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FALCONET_CACHE", str(shared_folder / "embedded-model"))
        embedded_bundle()
    return shared_folder / "embedded-model"


@pytest.fixture
def tiny(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The embedded model's bundle, where the program looks for it. Not to be changed: copy it."""
    from runtime import embedded_folder

    monkeypatch.setenv("FALCONET_CACHE", str(tiny_cache))
    return embedded_folder()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty one, in a folder of its own."""
    with closing(Store.open(tmp_path / "store")) as opened:
        yield opened


@pytest.fixture
def opened(qapp: QApplication) -> Iterator[list[Desk]]:
    """Windows that a test opens are closed after it."""
    desks: list[Desk] = []
    yield desks
    for desk in desks:
        end(desk)


@pytest.fixture
def writer(qapp: QApplication, tmp_path: Path) -> QPdfWriter:
    writer = QPdfWriter(str(tmp_path / "page.pdf"))
    writer.setResolution(1200)
    return writer


@pytest.fixture
def sidebar(qtbot: QtBot) -> Sidebar:
    sidebar = Sidebar()
    qtbot.addWidget(sidebar)
    sidebar.resize(264, 600)
    sidebar.show()
    return sidebar
