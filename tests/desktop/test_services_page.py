"""The page of remote services: which of them is chosen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.controllers.services import ServicesController
from desktop.settings import Settings
from desktop.store.store import Store
from desktop.views.models.service_dialog import ServiceDialog, ServiceForm
from desktop.views.models.services_page import ServicesPage
from desktop.views.theme import theme
from tests.desktop.engines import wait
from tests.runtime.openai_server import OpenAIServer


@pytest.fixture
def services(qapp: QApplication, tmp_path: Path) -> Iterator[ServicesController]:
    store = Store.open(tmp_path)
    controller = ServicesController(store)
    yield controller
    controller.close()
    store.close()


@pytest.fixture
def page(qtbot: QtBot, services: ServicesController) -> ServicesPage:
    made = ServicesPage()
    qtbot.addWidget(made)
    services.join(made)
    made.resize(500, 320)
    made.show()
    return made


def form(name: str) -> ServiceForm:
    return ServiceForm(name=name, url=f"http://{name}.example/v1", model=None)


def chosen(page: ServicesPage) -> str:
    item = page.list.currentItem()
    assert page.list.viewport().rect().contains(page.list.visualItemRect(item)), "it is in sight"
    return item.text()


def test_a_service_that_was_added_or_changed_is_chosen_and_in_sight(
    services: ServicesController, page: ServicesPage
) -> None:
    names = [f"service{number:02}" for number in range(12)]
    for name in names:
        services.save(form(name), None)
        assert chosen(page) == name
    first = services._store.services()[0]
    services.save(form("zebra"), first)
    assert chosen(page) == "zebra"
    assert page.list.count() == len(names)


def test_what_was_said_goes_when_what_it_is_of_is_typed_anew(qtbot: QtBot) -> None:
    dialog = ServiceDialog()
    qtbot.addWidget(dialog)
    for edit in (dialog.url, dialog.model, dialog.key):
        dialog.tell("http://old.example refused the key.", well=False)
        QTest.keyClicks(edit, "x")
        assert "refused" not in dialog.told.text()
    dialog.tell("http://old.example refused the key.", well=False)
    QTest.keyClicks(dialog.name, "x")
    assert "refused" in dialog.told.text()


@pytest.mark.parametrize("percent", [100, 200])
def test_no_button_moves_when_the_form_of_a_service_speaks(
    application: QApplication, qtbot: QtBot, percent: int
) -> None:
    theme().apply(Settings(text_size=percent))
    dialog = ServiceDialog()
    qtbot.addWidget(dialog)
    dialog.show()
    QApplication.processEvents()
    before = (dialog.size(), [button.geometry() for button in dialog.buttons.buttons()])
    path = "/a/path/that/is/long" * 20
    dialog.tell(f"There is no connection to http://127.0.0.1:9{path}: check the address.", well=False)
    QApplication.processEvents()
    assert (dialog.size(), [button.geometry() for button in dialog.buttons.buttons()]) == before
    assert dialog.told.verticalScrollBar().maximum() > 0
    assert dialog.minimumSizeHint().height() <= 400
    seen = dialog.told.visibleRegion().boundingRect()
    assert seen.height() == dialog.told.height(), "it is in sight"


def test_a_model_is_chosen_among_those_that_the_service_offers(
    qtbot: QtBot, services: ServicesController, page: ServicesPage
) -> None:
    names = [f"org/model-{number}" for number in range(3)]
    with OpenAIServer(lambda handler: handler.answer(200, {"data": [{"id": name} for name in names]})) as server:
        page.add_button.click()
        (dialog,) = page.findChildren(ServiceDialog)
        dialog.url.setText(server.url)
        dialog.key.setText("secret")
        qtbot.mouseClick(dialog.models_button, Qt.MouseButton.LeftButton)
        assert not dialog.test_button.isEnabled()
        offers = dialog.model.completer()
        popup = offers.popup()
        assert popup is not None
        wait(qtbot, popup.isVisible)
        shown = offers.completionModel()
        assert [shown.data(shown.index(row, 0)) for row in range(shown.rowCount())] == names
        assert dialog.told.text().startswith("The service offers 3 model")
        QTest.keyClicks(popup, "L-1")
        assert shown.rowCount() == 1
        QTest.keyClick(popup, Qt.Key.Key_Down)
        QTest.keyClick(popup, Qt.Key.Key_Return)
        assert dialog.form().model == "org/model-1"
        assert dialog.isVisible(), "Enter chose, and saved nothing"
        ((path, headers, _),) = server.requests
        assert (path, headers["authorization"]) == ("/v1/models", "Bearer secret")
        dialog.reject()


def test_where_a_service_names_no_models_one_can_still_be_typed(
    qtbot: QtBot, services: ServicesController, page: ServicesPage
) -> None:
    with OpenAIServer(lambda handler: handler.answer(404, {"detail": "Not Found"})) as server:
        page.add_button.click()
        (dialog,) = page.findChildren(ServiceDialog)
        dialog.url.setText(server.url)
        dialog.models_button.click()
        wait(qtbot, dialog.models_button.isEnabled)
        assert "no such model or path (Not Found)" in dialog.told.text()
        QTest.keyClicks(dialog.model, "mine")
        assert dialog.form().model == "mine"
        dialog.reject()
