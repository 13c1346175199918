"""Which engine is shown: this computer's or a service's; being shown loads nothing and interrupts nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.engine import EngineHost, LocalModel, RemoteModel
from runtime import Message
from tests.desktop.engines import GREEDY, Told, question, wait
from tests.runtime.openai_server import Handler, OpenAIServer

ONE, OTHER = (LocalModel(path=Path("nowhere") / name, name=name) for name in ("one", "other"))


@pytest.fixture
def host(qapp: QApplication) -> Iterator[EngineHost]:
    made = EngineHost()
    yield made
    made.close()


def shown(host: EngineHost) -> str:
    """The key of what is shown."""
    return "" if host.status.source is None else host.status.source.key


def test_this_computer_keeps_the_model_that_it_has_until_that_is_forgotten(host: EngineHost) -> None:
    far = RemoteModel(url="http://127.0.0.1:9", name="far", model="m")
    host.show(ONE)
    assert host.status.kind == "unloaded"
    assert host.status.source == ONE
    host.forget(ONE.key)
    assert host.status.source == ONE, "what is shown stays"
    host.show(far)
    assert shown(host) == far.key
    assert host.local.source == ONE
    host.show(OTHER)
    assert shown(host) == ONE.key
    host.show(far)
    host.forget(ONE.key)
    assert host.local.kind == "none"
    host.show(OTHER)
    assert shown(host) == OTHER.key
    host.forget(far.key)
    host.show(None)
    assert shown(host) == OTHER.key


def test_a_service_that_is_shown_is_asked_only_once_there_is_a_question_and_with_its_latest_key(
    qtbot: QtBot, host: EngineHost
) -> None:
    def behave(handler: Handler) -> None:
        handler.begin()
        handler.text("Hi", "stop")

    told = Told.by(host)
    with OpenAIServer(behave) as server:
        host.show(RemoteModel(url=server.url, name="far", model="m"))
        host.show(RemoteModel(url=server.url, name="far", model="m", api_key="secret"))
        host.ask(1, question(), GREEDY)
        host.show(ONE)  # the answer goes on
        wait(qtbot, lambda: bool(told.ends))
        ((_, headers, _),) = server.requests
    assert headers["authorization"] == "Bearer secret"
    assert (told.end(1).text, told.end(1).model) == ("Hi", "m")
    assert host.status.source == ONE


def test_what_a_service_is_asked_ends_with_it(qtbot: QtBot, host: EngineHost) -> None:
    def behave(handler: Handler) -> None:
        handler.begin()
        handler.text("Half")
        handler.hang()

    told = Told.by(host)
    with OpenAIServer(behave) as server:
        far = RemoteModel(url=server.url, name="far", model="m")
        host.show(far)
        host.ask(1, [Message("user", "Hello?")], GREEDY)
        wait(qtbot, lambda: any(progress.text for progress in told.progress))
        host.show(ONE)
        host.forget(far.key)
        assert (told.end(1).state, told.end(1).text) == ("interrupted", "Half")
        wait(qtbot, server.hung_up.is_set)
