"""The engine's host when something goes wrong, or another model takes the place. Real processes, really killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from desktop.devices import Device
from desktop.engine import EMBEDDED, EngineHost, LocalModel, RemoteModel, SafeStart
from desktop.settings import Settings
from runtime import GenerationOptions, Message
from tests.desktop.engines import GREEDY, Told, children, kill_model, lasting, question, wait
from tests.held import HeldModels
from tests.runtime.openai_server import Handler, OpenAIServer


@pytest.fixture
def mark(tmp_path: Path) -> SafeStart:
    return SafeStart(tmp_path / "not there yet" / "loading.json")


@pytest.fixture
def host(qtbot: QtBot, mark: SafeStart) -> Iterator[EngineHost]:
    made = EngineHost(safe_start=mark)
    made.set_device(Device(backend="torch"))
    yield made
    made.close()
    wait(qtbot, lambda: children() == set())


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HeldModels:
    return HeldModels(tmp_path / "site", monkeypatch)


@pytest.fixture
def model(tiny: Path) -> LocalModel:
    return LocalModel(path=tiny, name="falcon-tiny-instruct")


@pytest.fixture
def long(tiny: Path) -> GenerationOptions:
    return lasting(tiny)


def test_a_killed_model_keeps_the_text_and_nothing_is_tried_again_by_itself(
    qtbot: QtBot, host: EngineHost, model: LocalModel, long: GenerationOptions, mark: SafeStart
) -> None:
    told = Told.by(host)
    host.load(model)
    host.ask(1, question(), long)
    host.ask(2, question(), GREEDY)
    wait(qtbot, lambda: any(progress.tokens > 3 for progress in told.progress))
    kill_model()
    wait(qtbot, lambda: len(told.ends) == 2)
    broken, waiting = told.end(1), told.end(2)
    assert broken.state == waiting.state == "failed"
    assert broken.text.startswith(told.progress[-1].text)
    assert broken.text
    assert broken.error is not None
    assert "SIGKILL" in broken.error
    assert "\n" not in broken.error
    assert host.status.kind == "failed"
    assert "SIGKILL" in host.status.sentence
    assert children() == set()
    assert mark.crashed() is None  # it had loaded


def test_a_loading_that_crashes_is_remembered_until_one_goes_well(
    qtbot: QtBot, held: HeldModels, host: EngineHost, model: LocalModel, mark: SafeStart
) -> None:
    told = Told.by(host)
    host.load(model)
    host.ask(1, question(), GREEDY)
    wait(qtbot, lambda: bool(children()))
    assert mark.crashed() == model.key  # should the program die now, too
    kill_model()
    wait(qtbot, lambda: bool(told.ends))
    assert told.end(1).state == "failed"
    assert "while it loaded" in host.status.sentence
    assert mark.crashed() == model.key
    held.go_on()
    host.restart()
    host.ask(2, question(), GREEDY)
    wait(qtbot, lambda: len(told.ends) == 2)
    assert told.end(2).text == "The opposite of hot is cold."
    assert mark.crashed() is None


def test_an_unloaded_model_comes_again_when_asked_and_one_that_dies_unasked_is_told(
    qtbot: QtBot, host: EngineHost, model: LocalModel
) -> None:
    told = Told.by(host)
    host.load(model)
    wait(qtbot, lambda: host.status.kind == "ready")
    host.unload()
    assert told.kinds[-1] == "unloaded"
    wait(qtbot, lambda: children() == set())
    host.ask(1, question(), GREEDY)
    wait(qtbot, lambda: bool(told.ends))
    assert told.end(1).state == "complete"
    kill_model()
    wait(qtbot, lambda: told.kinds[-1] == "failed")


def test_another_model_takes_the_place_and_the_questions_that_wait(
    qtbot: QtBot, host: EngineHost, model: LocalModel, long: GenerationOptions
) -> None:
    told = Told.by(host)
    host.load(model)
    host.ask(1, question(), long)
    host.ask(2, question(), GREEDY)
    wait(qtbot, lambda: any(progress.tokens > 3 for progress in told.progress))
    host.load(EMBEDDED)
    assert told.end(1).state == "interrupted"
    assert told.end(1).text.startswith(told.progress[-1].text)
    wait(qtbot, lambda: len(told.ends) == 2)
    assert told.end(2).text == "The opposite of hot is cold."
    assert host.status.source == EMBEDDED
    wait(qtbot, lambda: len(children()) == 1)


def test_a_bundle_that_is_none_is_a_sentence_and_no_crash(
    qtbot: QtBot, host: EngineHost, tmp_path: Path, mark: SafeStart
) -> None:
    told = Told.by(host)
    host.load(LocalModel(path=tmp_path, name="nothing"))
    host.ask(1, question(), GREEDY)
    wait(qtbot, lambda: bool(told.ends))
    assert told.kinds == ["loading", "failed"]
    assert "is not a bundle" in host.status.sentence
    assert told.end(1).error == host.status.sentence
    assert mark.crashed() is None


@pytest.mark.parametrize("moment", ["loading", "answering"])
def test_leaving_ends_a_frozen_model_and_every_answer(
    qtbot: QtBot,
    held: HeldModels,
    host: EngineHost,
    model: LocalModel,
    long: GenerationOptions,
    mark: SafeStart,
    moment: str,
) -> None:
    told = Told.by(host)
    if moment == "answering":
        held.go_on()
    host.load(model)
    host.ask(1, question(), long)
    wait(qtbot, lambda: bool(children()) if moment == "loading" else bool(told.progress))
    (pid,) = children()
    os.kill(pid, signal.SIGSTOP)
    host.close()
    assert told.end(1).state == "interrupted"
    wait(qtbot, lambda: children() == set() and mark.crashed() is None)
    host.load(model)
    host.ask(2, question(), GREEDY)
    host.close()
    assert children() == set()


def test_a_service_that_hangs_at_its_first_word_is_left_behind(
    qtbot: QtBot, host: EngineHost, tmp_path: Path, mark: SafeStart
) -> None:
    told = Told.by(host)
    with OpenAIServer(Handler.hang) as server:
        host.load(RemoteModel(url=server.url, name="slow", api_key="secret-key"))
        wait(qtbot, lambda: bool(server.requests))
        assert host.status.kind == "loading"
        host.load(LocalModel(path=tmp_path, name="nothing"))
        wait(qtbot, lambda: told.kinds[-1] == "failed")
        assert "is not a bundle" in host.status.sentence
    assert "secret-key" not in repr(told.statuses)
    assert mark.crashed() is None


def test_a_service_that_finds_an_answer_too_long_in_its_midst_is_not_asked_again(
    qtbot: QtBot, host: EngineHost
) -> None:
    def behave(handler: Handler) -> None:
        handler.begin()
        handler.text("Half an answer.")
        handler.event({"error": {"message": "too long", "code": "context_length_exceeded"}})

    told = Told.by(host)
    with OpenAIServer(behave) as server:
        host.load(RemoteModel(url=server.url, name="service", model="m"))
        host.ask(1, [Message("user", "one"), Message("user", "two")], GREEDY)
        wait(qtbot, lambda: bool(told.ends))
        asked = len(server.requests)
    assert (told.end(1).state, told.end(1).text, asked) == ("failed", "Half an answer.", 1)


def test_a_service_answers_and_one_that_breaks_off_fails_that_answer_alone(qtbot: QtBot, host: EngineHost) -> None:
    def behave(handler: Handler) -> None:
        handler.begin()
        handler.text("Hello")
        if handler.body["messages"][-1]["content"] == "broken":
            handler.break_off()
        else:
            handler.text(" there.", "stop")
            handler.event("[DONE]")

    told = Told.by(host)
    with OpenAIServer(behave) as server:
        host.load(RemoteModel(url=server.url, name="service", model="m", api_key="secret-key"))
        host.ask(1, question("broken"), GREEDY)
        host.ask(
            2, question(), replace(GREEDY, context_policy=Settings().context_policy)
        )  # as the window's chats begin
        wait(qtbot, lambda: len(told.ends) == 2)
    assert (told.end(1).state, told.end(1).text) == ("failed", "Hello")
    assert (told.end(2).state, told.end(2).text) == ("complete", "Hello there.")
    assert host.status.kind == "ready"
    assert "secret-key" not in repr(told.order)


def test_answers_of_a_service_are_written_at_once_and_stopped_each_by_itself(qtbot: QtBot, host: EngineHost) -> None:
    def behave(handler: Handler) -> None:
        handler.begin()
        words = handler.body["messages"][-1]["content"]
        handler.text(f"{words}: ")
        if words == "first":
            handler.hang()
        handler.text("done", "stop")

    told = Told.by(host)
    with OpenAIServer(behave) as server:
        host.load(RemoteModel(url=server.url, name="service", model="m"))
        host.ask(1, question("first"), GREEDY)
        wait(qtbot, lambda: any(progress.text == "first: " for progress in told.progress))
        host.ask(2, question("second"), GREEDY)
        wait(qtbot, lambda: bool(told.ends))
        assert (told.ends[0].request, told.ends[0].text, host.status.kind) == (2, "second: done", "answering")
        host.cancel(1)
        wait(qtbot, lambda: len(told.ends) == 2)
        assert (told.end(1).state, told.end(1).text) == ("interrupted", "first: ")
        wait(qtbot, server.hung_up.is_set)
        host.ask(3, question("third"), GREEDY)
        wait(qtbot, lambda: len(told.ends) == 3)
    assert told.end(3).text == "third: done"
    assert host.status.kind == "ready"
