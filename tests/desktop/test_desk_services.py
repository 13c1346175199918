"""The whole window with remote services: what is said where one does not answer, and who answers which chat."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import keyring
import pytest
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from desktop.desk import Desk
from desktop.engine import EMBEDDED, RemoteModel
from desktop.library.service_check import ServiceCheck, ServiceVerdict
from desktop.store.records import StoredMessage
from desktop.views.models.service_dialog import ServiceForm
from tests.desktop.engines import end, lasting, new_desk, wait
from tests.desktop.test_keychain import InMemory
from tests.runtime.openai_server import Handler, OpenAIServer

CAPITAL = "What is the capital of France?"


@pytest.fixture
def desk(qapp: QApplication, tmp_path: Path, tiny: Path) -> Iterator[Desk]:
    desk = new_desk(qapp, tmp_path / "data")
    desk.chats.open_first()
    yield desk
    end(desk)


@pytest.fixture
def keychain() -> Iterator[InMemory]:
    """The system's keychain, in memory while a test runs."""
    before, backend = keyring.get_keyring(), InMemory()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


def chat(desk: Desk) -> int:
    """A new one, which is shown."""
    desk.chats.begin()
    assert desk.conversation.chat is not None
    return desk.conversation.chat.id


def last(desk: Desk, of: int) -> StoredMessage:
    return desk.store.path(of)[-1].message


def ask(qtbot: QtBot, desk: Desk, text: str = "Hello?") -> StoredMessage:
    """The answer in the chat that is shown."""
    shown = desk.conversation.chat
    assert shown is not None
    desk.conversation.send(text)
    wait(qtbot, lambda: desk.answers.in_chat(shown.id) is None)
    return last(desk, shown.id)


def saying(text: str) -> Callable[[Handler], None]:
    """A service that answers so, with one model, and counts no tokens."""

    def behave(handler: Handler) -> None:
        if handler.path == "/v1/models":
            handler.answer(200, {"object": "list", "data": [{"id": "far-13b"}]})
        else:
            handler.begin()
            handler.text(text)
            handler.text("", "stop")

    return behave


def test_a_service_that_asks_to_wait_has_not_stopped_and_is_asked_again(qtbot: QtBot, desk: Desk) -> None:
    def behave(handler: Handler) -> None:
        if len(handler.server.owner.requests) == 1:
            handler.answer(429, {"error": {"message": "slow down"}}, **{"Retry-After": "20"})
        else:
            saying("Here I am.")(handler)

    window = desk.shell.window
    with OpenAIServer(behave) as server:
        desk.host.load(RemoteModel(url=server.url, name="Far"))
        wait(qtbot, lambda: desk.host.status.kind == "failed")
        assert "asks to wait (slow down); ask again in 20 s." in window.banner.sentence
        assert window.banner.button.text() == "Try again"
        assert "no answer" in window.header.model_button.accessibleName()
        window.banner.button.click()
        wait(qtbot, lambda: desk.host.status.kind == "ready")
        assert not window.banner.sentence
        assert ask(qtbot, desk).text == "Here I am."


def test_an_answer_is_headed_by_the_model_that_wrote_it_and_pieces_are_not_counted_as_tokens(
    qtbot: QtBot, desk: Desk
) -> None:
    told = threading.Event()

    def behave(handler: Handler) -> None:
        if handler.path != "/v1/models" and told.is_set():
            handler.begin()
            handler.text("Counted.", "stop")
            handler.event({"choices": [], "usage": {"prompt_tokens": 9000, "completion_tokens": 3}})
        else:
            saying("Not counted.")(handler)

    meter = desk.shell.window.header.meter
    chat(desk)
    with OpenAIServer(behave) as server:
        desk.host.load(RemoteModel(url=server.url, name="Far"))
        answer = ask(qtbot, desk)
        assert (answer.text, answer.model) == ("Not counted.", "far-13b")
        widget = next(widget for widget in desk.view.list.widgets.values() if widget.item.id == answer.id)
        assert widget.accessibleName() == "far-13b: Not counted."
        assert answer.figures is not None
        assert (answer.figures.new_tokens, answer.figures.tokens_per_second) == (0, None)
        assert "token" not in widget.footer._figures.text()
        assert not meter.isVisible()
        told.set()
        ask(qtbot, desk)
        assert meter.words == "Context: 9,003 tokens used."
    desk.host.load(EMBEDDED)
    wait(qtbot, lambda: desk.host.status.kind == "ready")
    wait(qtbot, lambda: meter.words.endswith(" of 2,048 tokens used."))
    assert "9,003" not in meter.words, "another model counts otherwise"


def test_a_chat_stays_where_it_was_answered_and_a_new_one_begins_with_what_was_chosen_last(
    qtbot: QtBot, desk: Desk
) -> None:
    desk.models.begin()
    wait(qtbot, lambda: desk.host.status.kind == "ready")
    at_home = chat(desk)
    ask(qtbot, desk, CAPITAL)
    header = desk.shell.window.header.model_button
    with OpenAIServer(saying("From far away.")) as server:
        service = desk.store.save_service("Far", server.url, None, False)
        away = chat(desk)
        desk.models.services.load(service.id)
        wait(qtbot, lambda: desk.host.status.kind == "ready")
        assert ask(qtbot, desk).text == "From far away."
        asked = len(server.requests)

        desk.chats.open(at_home)
        assert header.accessibleName().startswith("Model: falcon-tiny-instruct.")
        assert "Paris" in ask(qtbot, desk, CAPITAL).text
        assert len(server.requests) == asked, "what was said here goes nowhere unasked"

        desk.chats.open(away)
        assert header.accessibleName().startswith("Remote service: Far.")
        assert ask(qtbot, desk).text == "From far away."
        chat(desk)
        assert header.accessibleName().startswith("Remote service: Far.")
        desk.chats.open(at_home)
        desk.models.services.load(service.id)  # the user asks for it
        assert ask(qtbot, desk).text == "From far away."
        desk.chats.open(away)
        desk.chats.open(at_home)
        assert header.accessibleName().startswith("Remote service: Far.")
        assert desk.shell.settings.model == f"service:{server.url}##{service.id}"


def test_a_chat_of_a_service_that_is_gone_is_answered_here(qtbot: QtBot, desk: Desk) -> None:
    desk.models.begin()
    wait(qtbot, lambda: desk.host.status.kind == "ready")
    with OpenAIServer(saying("From far away.")) as server:
        service = desk.store.save_service("Far", server.url, "m", False)
        away = chat(desk)
        desk.models.services.load(service.id)
        ask(qtbot, desk)
        desk.models.services.remove(service)
        chat(desk)
        desk.chats.open(away)
        assert "Paris" in ask(qtbot, desk, CAPITAL).text


def test_a_service_is_asked_by_its_own_chats_while_this_computer_answers_another(
    qtbot: QtBot, desk: Desk, tiny: Path
) -> None:
    desk.models.begin()
    wait(qtbot, lambda: desk.host.status.kind == "ready")
    at_home = chat(desk)
    desk.store.set_options(at_home, lasting(tiny))
    desk.conversation.refresh()
    desk.conversation.send(CAPITAL)
    wait(qtbot, lambda: len(desk.answers.text(desk.answers.in_chat(at_home) or 0) or "") > 20)
    with OpenAIServer(saying("From far away.")) as server:
        service = desk.store.save_service("Far", server.url, "m", False)
        chat(desk)
        desk.models.services.load(service.id)
        assert ask(qtbot, desk).text == "From far away."
        answer = desk.answers.in_chat(at_home)
        assert answer is not None, "it is still being written"
        desk.chats.open(at_home)
        assert desk.host.status.kind == "answering"
        desk.conversation.stop()
        wait(qtbot, lambda: desk.answers.in_chat(at_home) is None)
        assert last(desk, at_home).text


def test_a_key_that_is_entered_anew_is_used_at_once(qtbot: QtBot, desk: Desk, keychain: InMemory) -> None:

    def behave(handler: Handler) -> None:
        if handler.headers["Authorization"] == "Bearer right":
            saying("Come in.")(handler)
        else:
            handler.answer(401, {"error": {"message": "no such key"}})

    with OpenAIServer(behave) as server:
        form = ServiceForm(name="Far", url=server.url, model="m", key="wrong")
        desk.models.services.save(form, None)
        (service,) = desk.store.services()
        chat(desk)
        desk.models.services.load(service.id)
        wait(qtbot, lambda: desk.host.status.kind == "ready")
        refused = ask(qtbot, desk)
        assert refused.error is not None
        assert refused.error.endswith("refused the API key (no such key); give a valid one.")
        desk.models.services.save(replace(form, key="right"), service)
        wait(qtbot, lambda: getattr(desk.host.status.source, "api_key", None) == "right")
        desk.conversation.retry()
        wait(qtbot, lambda: desk.conversation.chat is not None and not desk.host._answers)
        assert desk.store.path(refused.chat)[-1].message.text == "Come in."
        desk.host.show(None)
        desk.models.services.save(replace(form, key="wrong"), service)
        desk.models.services.save(replace(form, key="right"), service)
        chat(desk)  # begins with what was chosen last, as it is now
        wait(qtbot, lambda: getattr(desk.host.status.source, "api_key", None) == "right")
        assert ask(qtbot, desk).text == "Come in."


def test_of_two_services_at_one_address_each_keeps_its_chats(qtbot: QtBot, desk: Desk) -> None:
    with OpenAIServer(saying("Yes.")) as server:
        services = [desk.store.save_service(model, server.url, model, False) for model in ("a", "b")]
        chats = []
        for service in services:
            chats.append(chat(desk))
            desk.models.services.load(service.id)
            ask(qtbot, desk)
        for shown, model in zip(chats, "ab", strict=True):
            desk.chats.open(shown)
            ask(qtbot, desk)
            assert server.requests[-1][2]["model"] == model


def only_thinking(handler: Handler) -> None:
    """A service whose model never comes to its answer."""
    if handler.path == "/v1/models":
        saying("")(handler)
    else:
        handler.begin()
        handler.text("<think>Let me count.")
        handler.hang()


def test_what_a_model_thinks_is_shown_and_kept_beside_its_answer_and_never_sent_back(qtbot: QtBot, desk: Desk) -> None:
    go_on = threading.Event()

    def behave(handler: Handler) -> None:
        if handler.path == "/v1/models":
            return saying("")(handler)
        handler.begin()
        for thought in ("Let me", " count."):
            handler.event({"choices": [{"index": 0, "delta": {"reasoning_content": thought}, "finish_reason": None}]})
        go_on.wait()
        handler.text("Three.", "stop")
        handler.event("[DONE]")
        return None

    shown = chat(desk)
    with OpenAIServer(behave) as server:
        desk.host.load(RemoteModel(url=server.url, name="Far"))
        desk.conversation.send("How many?")
        wait(qtbot, lambda: any(widget.thoughts for widget in desk.view.list.widgets.values()))
        widget = next(widget for widget in desk.view.list.widgets.values() if widget.thoughts)
        assert widget.thoughts is not None
        assert widget.thoughts.button.text().startswith("Thinking…")
        shown_labels = [label.text() for label in widget.findChildren(QLabel) if not label.isHidden()]
        assert "Reading the conversation…" not in shown_labels
        other = chat(desk)
        desk.chats.open(shown)
        items = {item.id: item for item in desk.view.list.items}
        assert items[last(desk, shown).id].reasoning == "Let me count."
        go_on.set()
        wait(qtbot, lambda: desk.answers.in_chat(shown) is None)
        kept = last(desk, shown)
        assert (kept.text, kept.reasoning) == ("Three.", "Let me count.")
        desk.chats.open(other)
        desk.chats.open(shown)
        assert desk.view.list.items[-1].reasoning == "Let me count."
        ask(qtbot, desk, "Sure?")
        said = [message["content"] for message in server.requests[-1][2]["messages"]]
        assert said == ["How many?", "Three.", "Sure?"]


def test_thoughts_of_an_answer_that_is_stopped_before_its_first_word_are_kept(qtbot: QtBot, desk: Desk) -> None:
    shown = chat(desk)
    with OpenAIServer(only_thinking) as server:
        desk.host.load(RemoteModel(url=server.url, name="Far"))
        desk.conversation.send("How many?")
        wait(qtbot, lambda: any(widget.thoughts for widget in desk.view.list.widgets.values()))
        desk.conversation.stop()
        wait(qtbot, lambda: desk.answers.in_chat(shown) is None)
    kept = last(desk, shown)
    assert (kept.text, kept.state, kept.reasoning) == ("", "interrupted", "Let me count.")


def test_thoughts_are_kept_while_the_model_thinks_so_that_a_kill_leaves_them(qtbot: QtBot, desk: Desk) -> None:
    shown = chat(desk)
    with OpenAIServer(only_thinking) as server:
        desk.host.load(RemoteModel(url=server.url, name="Far"))
        desk.conversation.send("How many?")
        wait(qtbot, lambda: last(desk, shown).reasoning == "Let me count.")
        assert last(desk, shown).state == "streaming"
        desk.conversation.stop()
        wait(qtbot, lambda: desk.answers.in_chat(shown) is None)


def test_what_is_written_to_an_answer_that_goes_on_is_kept_before_its_end(qtbot: QtBot, desk: Desk) -> None:
    def behave(handler: Handler) -> None:
        if handler.path == "/v1/models":
            return saying("")(handler)
        handler.begin()
        goes_on = handler.body["messages"][-1]["role"] == "assistant"
        handler.text(" scatters it." if goes_on else "The sky is blue because air", None if goes_on else "length")
        if goes_on:
            handler.hang()
        handler.event("[DONE]")
        return None

    shown = chat(desk)
    with OpenAIServer(behave) as server:
        desk.host.load(RemoteModel(url=server.url, name="Far"))
        answer = ask(qtbot, desk, "Why?")
        desk.conversation.go_on(answer.id)
        wait(qtbot, lambda: last(desk, shown).text == "The sky is blue because air scatters it.")
        assert last(desk, shown).state == "streaming", "a start after a crash knows that it has no end"
        desk.conversation.stop()
        wait(qtbot, lambda: desk.answers.in_chat(shown) is None)
    assert last(desk, shown).state == "interrupted"


def test_a_service_whose_model_thinks_for_long_has_passed_its_test_once_it_does(qtbot: QtBot) -> None:
    def think(handler: Handler) -> None:
        handler.begin()
        handler.event({"choices": [{"index": 0, "delta": {"reasoning_content": "Let me"}, "finish_reason": None}]})
        handler.hang()

    check = ServiceCheck()
    verdicts: list[ServiceVerdict] = []
    check.told.connect(verdicts.append)
    with OpenAIServer(think) as server:
        check.start(RemoteModel(url=server.url, name="Far", model="far"))
        wait(qtbot, lambda: bool(verdicts))
    assert verdicts == [ServiceVerdict(well=True, sentence="far answers.")]


def test_an_answer_that_goes_on_at_a_service_that_begins_anew_says_nothing_twice(qtbot: QtBot, desk: Desk) -> None:
    begun = "The sky is blue because air"

    def behave(handler: Handler) -> None:
        if handler.path == "/v1/models":
            return saying("")(handler)
        handler.begin()
        goes_on = handler.body["messages"][-1]["role"] == "assistant"
        handler.text(f"{begun} scatters it." if goes_on else begun)
        handler.text("", "stop" if goes_on else "length")
        handler.event("[DONE]")
        return None

    shown = chat(desk)
    with OpenAIServer(behave) as server:
        desk.host.load(RemoteModel(url=server.url, name="Far"))
        answer = ask(qtbot, desk, "Why?")
        assert answer.text == begun
        desk.conversation.go_on(answer.id)
        wait(qtbot, lambda: desk.answers.in_chat(shown) is None)
    assert last(desk, shown).text == f"{begun} scatters it."
