"""Where chats are answered while a keychain takes its time, and where services are changed or removed."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keyring
import pytest
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from desktop.desk import Desk
from desktop.engine import EMBEDDED, LocalModel
from desktop.store.records import Service
from desktop.views.models.service_dialog import ServiceForm
from tests.desktop.engines import end, new_desk, wait
from tests.desktop.test_desk_services import CAPITAL, ask, chat, saying
from tests.desktop.test_keychain import InMemory
from tests.runtime.openai_server import Handler, OpenAIServer


class Slow(InMemory):
    """Answers once `go` is set, as one that asks the user to unlock it."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.go.set()

    def get_password(self, service: str, username: str) -> str | None:
        self.go.wait(60)
        return super().get_password(service, username)


@pytest.fixture
def keychain() -> Iterator[Slow]:
    before, backend = keyring.get_keyring(), Slow()
    keyring.set_keyring(backend)
    yield backend
    backend.go.set()
    keyring.set_keyring(before)


@pytest.fixture
def desk(qtbot: QtBot, qapp: QApplication, tmp_path: Path, tiny: Path, keychain: Slow) -> Iterator[Desk]:
    """With the embedded model, which is the one that was chosen last."""
    desk = new_desk(qapp, tmp_path / "data")
    desk.chats.open_first()
    desk.models.begin()
    wait(qtbot, lambda: desk.host.status.kind == "ready")
    yield desk
    end(desk)


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """Takes the key "right" alone."""

    def behave(handler: Handler) -> None:
        if handler.headers["Authorization"] == "Bearer right":
            saying("Far.")(handler)
        else:
            handler.answer(401, {"error": {"message": "no such key"}})

    with OpenAIServer(behave) as server:
        yield server


@pytest.fixture
def service(qtbot: QtBot, desk: Desk, server: OpenAIServer, keychain: Slow) -> Service:
    desk.models.services.save(ServiceForm(name="Far", url=server.url, model="m", key="right"), None)
    (kept,) = desk.store.services()
    wait(qtbot, lambda: bool(keychain.kept))
    return kept


def chats(qtbot: QtBot, desk: Desk, service: Service) -> tuple[int, int]:
    """One that the service answered, and one that this computer did, which was chosen last and is shown."""
    away = chat(desk)
    desk.models.services.load(service.id)
    wait(qtbot, lambda: desk.host.status.kind == "ready")
    assert ask(qtbot, desk).text == "Far."
    at_home = chat(desk)
    desk.models.load(EMBEDDED.key)
    assert "Paris" in ask(qtbot, desk, CAPITAL).text
    return away, at_home


def settled(qtbot: QtBot, keychain: Slow, desk: Desk) -> None:
    """The keychain has answered all that it was asked."""
    keychain.go.set()
    told: list[object] = []
    desk.models.services.keychain.get("nothing", told.append)
    wait(qtbot, lambda: bool(told))


def forget(desk: Desk, service: Service) -> None:
    """As after a start, in which the service was not asked yet."""
    desk.host.forget(desk.models.services.source(service).key)


def test_a_service_that_is_chosen_in_one_chat_takes_over_no_other(
    qtbot: QtBot, desk: Desk, server: OpenAIServer, service: Service, keychain: Slow
) -> None:
    at_home = chat(desk)
    ask(qtbot, desk, CAPITAL)
    keychain.go.clear()
    chat(desk)
    desk.models.services.load(service.id)
    desk.chats.open(at_home)
    settled(qtbot, keychain, desk)
    assert desk.store.chat(at_home).model == EMBEDDED.key
    assert "Paris" in ask(qtbot, desk, CAPITAL).text
    assert not server.requests


def test_who_chooses_this_computer_while_the_keychain_is_asked_gets_it(
    qtbot: QtBot, desk: Desk, server: OpenAIServer, service: Service, keychain: Slow
) -> None:
    away, _ = chats(qtbot, desk, service)
    asked = len(server.requests)
    keychain.go.clear()
    forget(desk, service)
    desk.chats.open(away)
    desk.models.load(EMBEDDED.key)
    settled(qtbot, keychain, desk)
    assert desk.host.status.source == EMBEDDED
    ask(qtbot, desk, CAPITAL)
    assert len(server.requests) == asked


def test_a_start_that_waits_for_the_keychain_does_not_undo_a_choice(
    qtbot: QtBot, desk: Desk, server: OpenAIServer, service: Service, keychain: Slow
) -> None:
    desk.shell.change(replace(desk.shell.settings, model=f"service:{server.url}#m"))  # as versions before kept it
    keychain.go.clear()
    desk.models.begin()
    assert desk.shell.window.header.model_button.accessibleName().startswith("Remote service: Far.")
    chat(desk)
    desk.models.load(EMBEDDED.key)
    wait(qtbot, lambda: desk.host.status.kind == "ready")
    settled(qtbot, keychain, desk)
    ask(qtbot, desk, CAPITAL)
    assert not server.requests


def test_what_is_asked_before_the_keychain_answers_waits_for_the_key(
    qtbot: QtBot, desk: Desk, server: OpenAIServer, service: Service, keychain: Slow
) -> None:
    away, _ = chats(qtbot, desk, service)
    for chosen in (False, True):
        keychain.go.clear()
        forget(desk, service)
        if chosen:
            away = chat(desk)
            desk.models.services.load(service.id)
        else:
            desk.chats.open(away)
        asked = len(server.requests)
        desk.conversation.send("Hello")
        qtbot.wait(200)
        assert len(server.requests) == asked, "nobody is asked meanwhile"
        assert "Waiting for the key of Far…" in [label.text() for label in desk.view.findChildren(QLabel)]
        settled(qtbot, keychain, desk)
        wait(qtbot, lambda: desk.answers.in_chat(away) is None)  # noqa: B023 - at once
        assert desk.store.path(away)[-1].message.text == "Far."
        desk.chats.open_first()
        desk.models.load(EMBEDDED.key)


def test_a_new_key_is_no_choice(qtbot: QtBot, desk: Desk, service: Service) -> None:
    away, _ = chats(qtbot, desk, service)
    desk.chats.open(away)
    form = ServiceForm(name="Far", url=service.url, model="m", key="other")
    desk.models.services.save(form, service)
    wait(qtbot, lambda: getattr(desk.host.status.source, "api_key", None) == "other")
    assert desk.models.default == EMBEDDED
    assert desk.shell.settings.model == EMBEDDED.key
    assert desk.host.local.kind == "ready"


def test_where_a_service_is_removed_this_computer_keeps_its_model(
    qtbot: QtBot, desk: Desk, service: Service, tiny: Path, tmp_path: Path
) -> None:
    away, _ = chats(qtbot, desk, service)
    shutil.copytree(tiny, tmp_path / "mine")
    mine = LocalModel(path=tmp_path / "mine", name="mine")
    desk.models._load(mine)
    wait(qtbot, lambda: desk.host.status.kind == "ready")
    desk.chats.open(away)
    desk.models.services.remove(service)
    assert desk.host.status.source == mine
    assert desk.models.default == mine
    assert "Paris" in ask(qtbot, desk, CAPITAL).text


def test_a_service_that_was_removed_is_not_asked_by_a_new_chat(
    qtbot: QtBot, desk: Desk, server: OpenAIServer, service: Service
) -> None:
    _, at_home = chats(qtbot, desk, service)
    chat(desk)
    desk.models.services.load(service.id)
    wait(qtbot, lambda: desk.host.status.kind == "ready")
    asked = len(server.requests)
    desk.chats.open(at_home)
    desk.models.services.remove(service)
    chat(desk)
    assert "Paris" in ask(qtbot, desk, CAPITAL).text
    assert len(server.requests) == asked
    assert desk.shell.settings.model == EMBEDDED.key


def test_a_chat_of_before_models_were_kept_is_answered_here(qtbot: QtBot, desk: Desk, server: OpenAIServer) -> None:
    desk.store.save_service("falcon-tiny-instruct", server.url, "m", False)
    at_home = chat(desk)
    ask(qtbot, desk, CAPITAL)
    desk.store.set_model(at_home, None)
    chat(desk)
    desk.chats.open(at_home)
    assert "Paris" in ask(qtbot, desk, CAPITAL).text
    assert not server.requests


def test_of_two_services_that_differ_in_their_keys_each_chat_has_its_own(
    qtbot: QtBot, desk: Desk, keychain: Slow
) -> None:
    with OpenAIServer(saying("Yes.")) as server:
        for key in ("first", "second"):
            desk.models.services.save(ServiceForm(name=key, url=server.url, model="m", key=key), None)
        wait(qtbot, lambda: len(keychain.kept) == 2)
        kept = []
        for service in desk.store.services():
            kept.append((chat(desk), service.name))
            desk.models.services.load(service.id)
            ask(qtbot, desk)
        for shown, key in kept:
            desk.chats.open(shown)
            ask(qtbot, desk)
            assert server.requests[-1][1]["authorization"] == f"Bearer {key}"


def test_trying_a_service_again_keeps_this_computers_model(qtbot: QtBot, desk: Desk) -> None:
    with OpenAIServer(lambda handler: handler.answer(429, {"error": {"message": "slow"}})) as server:
        service = desk.store.save_service("Far", server.url, None, False)
        away = chat(desk)
        desk.models.services.load(service.id)
        wait(qtbot, lambda: desk.host.status.kind == "failed")
        ask(qtbot, desk)
        chat(desk)
        desk.models.load(EMBEDDED.key)
        ask(qtbot, desk, CAPITAL)
        desk.chats.open(away)
        asked = len(server.requests)
        desk.engine.restart()
        wait(qtbot, lambda: len(server.requests) > asked)
        assert desk.host.local.kind == "ready"


def test_chats_go_with_their_service_to_its_new_address(qtbot: QtBot, desk: Desk, service: Service) -> None:
    away, _ = chats(qtbot, desk, service)
    with OpenAIServer(saying("From the new one.")) as moved:
        desk.models.services.save(ServiceForm(name="Far", url=moved.url, model="m"), service)
        desk.chats.open(away)
        assert ask(qtbot, desk).text == "From the new one."


def test_the_dialog_of_models_tells_of_this_computers_model_while_a_service_is_shown(
    qtbot: QtBot, desk: Desk, service: Service
) -> None:
    away, _ = chats(qtbot, desk, service)
    desk.chats.open(away)
    local = desk.models.open().local
    wait(qtbot, lambda: desk.models.library.entry(EMBEDDED.key) is not None and local.list.choose(EMBEDDED.key))
    assert local.details.unload_button.isVisible()
    local.details.unload_button.click()
    assert not local.details.unload_button.isVisible()
