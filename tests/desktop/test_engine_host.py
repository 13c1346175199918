"""The engine's host: on the real process, with the embedded model. What goes wrong is in test_engine_faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.devices import Device
from desktop.engine import EMBEDDED, EngineHost, LocalModel
from desktop.settings import ContextPolicy
from runtime import GenerationOptions, Message
from tests.desktop.engines import GREEDY, Told, lasting, question, wait


@pytest.fixture(scope="module")
def shared(qapp: QApplication) -> Iterator[EngineHost]:
    host = EngineHost()
    host.set_device(Device(backend="torch"))
    yield host
    host.close()


@pytest.fixture
def ready(qtbot: QtBot, shared: EngineHost, tiny: Path) -> EngineHost:
    """A host that is loaded once for all tests which leave it so."""
    if shared.status.kind == "none":
        shared.load(LocalModel(path=tiny, name="falcon-tiny-instruct"))
    wait(qtbot, lambda: shared.status.kind == "ready")
    return shared


@pytest.fixture
def host(qtbot: QtBot) -> Iterator[EngineHost]:
    made = EngineHost()
    yield made
    made.close()


@pytest.fixture
def long(tiny: Path) -> GenerationOptions:
    return lasting(tiny)


def test_questions_wait_for_the_model_and_for_each_other_and_are_taken_back_unasked(
    qtbot: QtBot, host: EngineHost, tiny: Path, long: GenerationOptions
) -> None:
    told = Told.by(host)
    host.load(EMBEDDED)
    assert host.status.kind == "loading"
    host.ask(1, question(), long)
    host.ask(2, question(), GREEDY)
    host.ask(3, question("What is the capital of France?"), GREEDY)
    host.cancel(1)
    host.cancel(1)
    assert [(end.request, end.state, end.text) for end in told.ends] == [(1, "interrupted", "")]
    counts: list[int | None] = []
    host.count(question(), counts.append)
    wait(qtbot, lambda: len(told.ends) == 3 and len(counts) == 1)
    assert told.kinds == ["loading", "answering", "ready"]
    assert [end.request for end in told.ends] == [1, 2, 3]
    first, second = told.end(2), told.end(3)
    assert first.text == "The opposite of hot is cold."
    assert "Paris" in second.text
    assert first.state == second.state == "complete"
    assert first.figures is not None
    assert first.figures.prompt_tokens == counts[0]
    assert first.figures.context_length == 2048
    assert first.figures.reason == "stop"
    assert host.status.info is not None


def test_progress_grows_the_end_comes_last_and_then_nothing_runs(
    qtbot: QtBot, ready: EngineHost, long: GenerationOptions
) -> None:
    told = Told.by(ready)
    ready.ask(1, question(), long)
    assert ready.status.kind == "answering"
    wait(qtbot, lambda: len(told.progress) > 2)
    ready.cancel(1)
    wait(qtbot, lambda: bool(told.ends))
    texts = [progress.text for progress in told.progress] + [told.end(1).text]
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
    assert told.order.index(told.progress[-1]) < told.order.index(told.ends[0])
    assert told.progress[-1].prefilled is not None
    wait(qtbot, lambda: not ready._timer.isActive())


@pytest.mark.parametrize("policy", ["stop", "rolling"])
def test_a_message_that_was_too_long_does_not_stop_the_next(
    qtbot: QtBot, ready: EngineHost, policy: ContextPolicy
) -> None:
    told = Told.by(ready)
    options = replace(GREEDY, context_policy=policy)
    long = Message("user", "word " * 2500)
    ready.ask(1, [long], options)
    ready.ask(2, [long, *question("What is the capital of France?")], options)
    name = [long, Message("user", "My name is Mia."), Message("assistant", "Nice to meet you, Mia.")]
    ready.ask(3, [*name, *question("What is my name?")], options)
    counts: list[int | None] = []
    ready.count([long, *question("What is the capital of France?")], counts.append)
    wait(qtbot, lambda: len(told.ends) == 3 and bool(counts))
    assert "Mia" in told.end(3).text, "what was refused takes the place of nothing that was answered"
    assert counts[0] is not None
    assert counts[0] < 30
    assert told.end(1).state == "failed"
    assert "shorten" in (told.end(1).error or "")
    assert (told.end(2).state, "Paris" in told.end(2).text) == ("complete", True)


def test_an_answer_is_stopped_and_goes_on(qtbot: QtBot, ready: EngineHost, long: GenerationOptions) -> None:
    told = Told.by(ready)
    ready.ask(1, question(), long)
    ready.ask(2, question(), GREEDY)
    wait(qtbot, lambda: any(progress.tokens > 8 for progress in told.progress))
    ready.cancel(2)
    assert told.end(2).state == "interrupted"
    ready.cancel(1)
    wait(qtbot, lambda: len(told.ends) == 2)
    stopped = told.end(1)
    assert stopped.state == "interrupted"
    assert stopped.text.startswith(told.progress[-1].text)
    assert stopped.figures is not None
    assert stopped.figures.reason == "cancelled"

    messages = [*question(), Message("assistant", stopped.text + " ", stopped.tokens)]
    counts: list[int | None] = []
    ready.count(messages, counts.append)
    ready.continue_(3, messages, replace(long, max_new_tokens=20))  # wherever it was stopped, there is more to write
    wait(qtbot, lambda: len(told.ends) == 3 and bool(counts))
    rest = told.end(3)
    assert rest.text.startswith(stopped.text)
    assert len(rest.text) > len(stopped.text)
    assert all(progress.text.startswith(stopped.text) for progress in told.progress if progress.request == 3)
    assert rest.figures is not None
    assert rest.figures.prompt_tokens == counts[0]
    assert rest.figures.reused_tokens > 8


def test_an_answer_without_a_word_begins_where_it_is_continued(qtbot: QtBot, ready: EngineHost) -> None:
    told = Told.by(ready)
    ready.continue_(1, [*question(), Message("assistant", "\n")], GREEDY)
    wait(qtbot, lambda: bool(told.ends))
    assert told.end(1).text == "The opposite of hot is cold."


def test_tokens_are_counted_while_an_answer_is_written_and_the_latest_question_wins(
    qtbot: QtBot, ready: EngineHost, long: GenerationOptions
) -> None:
    told = Told.by(ready)
    counts: dict[int, int | None] = {}
    ready.ask(1, question(), long)
    wait(qtbot, lambda: bool(told.progress))
    for size in range(1, 30):
        ready.count(question("word " * size), lambda tokens, size=size: counts.update({size: tokens}))  # type: ignore[misc]
    wait(qtbot, lambda: 29 in counts)
    assert len(counts) < 29
    assert isinstance(counts[29], int)
    ready.count([], lambda tokens: counts.update({0: tokens}))
    wait(qtbot, lambda: 0 in counts)
    assert counts[0] is None
    assert ready.status.kind == "answering"
    ready.cancel(1)
    wait(qtbot, lambda: bool(told.ends))


def test_a_question_that_cannot_be_fails_alone(qtbot: QtBot, ready: EngineHost) -> None:
    told = Told.by(ready)
    ready.ask(1, [], GREEDY)
    ready.ask(2, question("word " * 4000), GREEDY)
    ready.ask(3, question(), GREEDY)
    wait(qtbot, lambda: len(told.ends) == 3)
    assert [end.state for end in told.ends] == ["failed", "failed", "complete"]
    assert "context holds 2,048" in (told.end(2).error or "")
    assert ready.status.kind == "ready"


def test_a_longer_conversation_says_what_was_dropped(qtbot: QtBot, ready: EngineHost, long: GenerationOptions) -> None:
    told = Told.by(ready)
    old = [Message("user", "word " * 1900), Message("assistant", "Yes.")]
    ready.ask(1, [*old, *question()], replace(long, context_policy="rolling", max_new_tokens=1000))
    wait(qtbot, lambda: bool(told.progress))
    ready.cancel(1)
    wait(qtbot, lambda: bool(told.ends))
    dropped = told.end(1).dropped
    assert dropped is not None
    assert (dropped.policy, dropped.messages) == ("rolling", 2)
    assert dropped.tokens > 1400
    assert told.progress[0].dropped == dropped


def test_without_a_model_a_question_says_what_to_do_and_nothing_is_counted(qtbot: QtBot, host: EngineHost) -> None:
    told = Told.by(host)
    counts: list[int | None] = []
    host.ask(1, question(), GREEDY)
    host.count(question(), counts.append)
    wait(qtbot, lambda: bool(told.ends) and bool(counts))
    assert told.end(1).error == "No model is loaded; choose one first."
    assert counts == [None]
