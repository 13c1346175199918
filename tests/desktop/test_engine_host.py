"""The engine's host: on the real process, with the embedded model."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from desktop.engine import EMBEDDED, EngineHost, LocalModel, SafeStart
from runtime import GenerationOptions, Message
from tests.desktop.engines import GREEDY, Told, children, kill_model, lasting, question, wait

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc, which Linux has")


@pytest.fixture
def model(tiny: Path) -> LocalModel:
    return LocalModel(path=tiny, name="falcon-tiny-instruct", backend="torch")


@pytest.fixture
def long(tiny: Path) -> GenerationOptions:
    return lasting(tiny)


@pytest.fixture
def host(qtbot: QtBot, tmp_path: Path) -> Iterator[EngineHost]:
    made = EngineHost(safe_start=SafeStart(tmp_path / "loading.json"))
    yield made
    made.close()
    assert children() == set()


def test_prompts_wait_for_the_model_and_for_each_other(qtbot: QtBot, host: EngineHost, model: LocalModel) -> None:
    told = Told.by(host)
    host.load(model)
    host.ask(1, question(), GREEDY)
    host.ask(2, question("What is the capital of France?"), GREEDY)
    counts: list[int | None] = []
    host.count(question(), counts.append)
    wait(qtbot, lambda: len(told.ends) == 2 and len(counts) == 1)
    assert told.kinds == ["loading", "answering", "ready"]
    assert [end.request for end in told.ends] == [1, 2]
    first, second = told.ends
    assert first.text == "The opposite of hot is cold."
    assert "Paris" in second.text
    assert first.state == second.state == "complete"
    assert first.figures is not None
    assert first.figures.prompt_tokens == counts[0]
    assert first.figures.context_length == 2048
    assert first.figures.reason == "stop"
    assert host.status.info is not None
    texts = [progress.text for progress in told.progress if progress.request == 1]
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))


def test_what_is_told_comes_in_order_and_then_nothing_runs(qtbot: QtBot, host: EngineHost, model: LocalModel) -> None:
    told = Told.by(host)
    host.load(model)
    wait(qtbot, lambda: host.status.kind == "ready")
    host.ask(1, question(), GREEDY)
    assert host.status.kind == "answering"
    wait(qtbot, lambda: bool(told.ends))
    last = told.progress[-1]
    assert told.order.index(last) < told.order.index(told.ends[0])
    wait(qtbot, lambda: not host._timer.isActive())


def test_an_answer_is_stopped_and_goes_on(
    qtbot: QtBot, host: EngineHost, model: LocalModel, long: GenerationOptions
) -> None:
    told = Told.by(host)
    host.load(model)
    host.ask(1, question(), long)
    wait(qtbot, lambda: any(progress.tokens > 8 for progress in told.progress))
    host.cancel(1)
    wait(qtbot, lambda: bool(told.ends))
    stopped = told.end(1)
    assert stopped.state == "interrupted"
    assert stopped.text.startswith(told.progress[-1].text)
    assert stopped.figures is not None
    assert stopped.figures.reason == "cancelled"
    messages = [*question(), Message("assistant", stopped.text + " ", stopped.tokens)]
    counts: list[int | None] = []
    host.count(messages, counts.append)
    host.continue_(2, messages, GREEDY)
    wait(qtbot, lambda: len(told.ends) == 2 and bool(counts))
    rest = told.end(2)
    assert rest.text.startswith(stopped.text)
    assert len(rest.text) > len(stopped.text)
    assert all(progress.text.startswith(stopped.text) for progress in told.progress if progress.request == 2)
    assert rest.figures is not None
    assert rest.figures.prompt_tokens == counts[0]
    assert rest.figures.reused_tokens > 8


def test_a_question_is_taken_back_before_its_first_token(
    qtbot: QtBot, host: EngineHost, model: LocalModel, long: GenerationOptions
) -> None:
    told = Told.by(host)
    host.load(model)
    host.ask(1, question(), long)
    host.ask(2, question(), long)
    host.ask(3, question(), GREEDY)
    host.cancel(1)
    host.cancel(2)
    host.cancel(2)
    assert [(end.request, end.state, end.text) for end in told.ends] == [(1, "interrupted", ""), (2, "interrupted", "")]
    wait(qtbot, lambda: len(told.ends) == 3)
    assert told.end(3).text == "The opposite of hot is cold."


def test_tokens_are_counted_while_an_answer_is_written_and_the_latest_question_wins(
    qtbot: QtBot, host: EngineHost, model: LocalModel, long: GenerationOptions
) -> None:
    told = Told.by(host)
    counts: list[tuple[str, int | None]] = []
    host.count(question(), lambda tokens: counts.append(("nothing loaded", tokens)))
    wait(qtbot, lambda: bool(counts))
    assert counts.pop() == ("nothing loaded", None)
    host.load(model)
    host.ask(1, question(), long)
    wait(qtbot, lambda: bool(told.progress))
    for size in range(1, 30):
        host.count(question("word " * size), lambda tokens, size=size: counts.append((str(size), tokens)))  # type: ignore[misc]
    wait(qtbot, lambda: bool(counts) and counts[-1][0] == "29")
    assert len(counts) < 29
    assert isinstance(counts[-1][1], int)
    host.count([], lambda tokens: counts.append(("none", tokens)))
    wait(qtbot, lambda: counts[-1][0] == "none")
    assert counts[-1][1] is None
    assert not told.ends
    host.cancel(1)
    wait(qtbot, lambda: bool(told.ends))


def test_a_killed_model_fails_its_answer_keeps_the_text_and_waits_for_a_restart(
    qtbot: QtBot, host: EngineHost, model: LocalModel, long: GenerationOptions, tmp_path: Path
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
    wait(qtbot, lambda: host.status.kind == "failed")
    assert "SIGKILL" in host.status.sentence
    assert children() == set()
    assert SafeStart(tmp_path / "loading.json").crashed() is None  # it had loaded
    host.restart()
    host.ask(3, question(), GREEDY)
    wait(qtbot, lambda: len(told.ends) == 3)
    assert told.end(3).text == "The opposite of hot is cold."


def test_a_model_that_dies_while_nobody_asks_is_told(qtbot: QtBot, host: EngineHost, model: LocalModel) -> None:
    told = Told.by(host)
    host.load(model)
    wait(qtbot, lambda: host.status.kind == "ready")
    kill_model()
    wait(qtbot, lambda: host.status.kind == "failed")
    host.ask(1, question(), GREEDY)  # the sentence says that asking again starts it
    wait(qtbot, lambda: bool(told.ends))
    assert told.end(1).state == "complete"


def test_a_loading_that_crashes_is_remembered_until_one_goes_well(
    qtbot: QtBot, host: EngineHost, model: LocalModel, tmp_path: Path
) -> None:
    mark = SafeStart(tmp_path / "loading.json")
    told = Told.by(host)
    host.load(model)
    host.ask(1, question(), GREEDY)
    wait(qtbot, lambda: bool(children()))
    assert mark.crashed() == model.key  # should the program die now, too
    kill_model()
    wait(qtbot, lambda: host.status.kind == "failed")
    assert "while it loaded" in host.status.sentence
    assert told.end(1).state == "failed"
    assert mark.crashed() == model.key
    host.restart()
    wait(qtbot, lambda: host.status.kind == "ready")
    assert mark.crashed() is None


def test_a_bundle_that_is_none_is_a_sentence_and_no_crash(qtbot: QtBot, host: EngineHost, tmp_path: Path) -> None:
    told = Told.by(host)
    host.load(LocalModel(path=tmp_path, name="nothing"))
    host.ask(1, question(), GREEDY)
    wait(qtbot, lambda: bool(told.ends))
    assert told.kinds == ["loading", "failed"]
    assert "is not a bundle" in host.status.sentence
    assert told.end(1).error == host.status.sentence
    assert SafeStart(tmp_path / "loading.json").crashed() is None


def test_options_that_cannot_be_fail_one_answer_only(qtbot: QtBot, host: EngineHost, model: LocalModel) -> None:
    told = Told.by(host)
    host.load(model)
    host.ask(1, [], GREEDY)
    host.ask(2, question("word " * 4000), GREEDY)
    host.ask(3, question(), GREEDY)
    wait(qtbot, lambda: len(told.ends) == 3)
    assert [end.state for end in told.ends] == ["failed", "failed", "complete"]
    assert "context holds 2,048" in (told.end(2).error or "")
    assert host.status.kind == "ready"


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
    assert len(children()) == 1


def test_an_unloaded_model_gives_its_memory_back_and_comes_again_when_asked(
    qtbot: QtBot, host: EngineHost, model: LocalModel
) -> None:
    told = Told.by(host)
    host.load(model)
    wait(qtbot, lambda: host.status.kind == "ready")
    host.unload()
    assert host.status.kind == "unloaded"
    wait(qtbot, lambda: children() == set())
    host.ask(1, question(), GREEDY)
    wait(qtbot, lambda: bool(told.ends))
    assert told.end(1).state == "complete"


def test_without_a_model_a_question_says_what_to_do(qtbot: QtBot, host: EngineHost) -> None:
    told = Told.by(host)
    host.ask(1, question(), GREEDY)
    wait(qtbot, lambda: bool(told.ends))
    assert told.end(1).error == "No model is loaded; choose one first."


@pytest.mark.parametrize("moment", ["loading", "answering", "frozen"])
def test_leaving_ends_every_answer_and_process_whatever_they_do(
    qtbot: QtBot, host: EngineHost, model: LocalModel, long: GenerationOptions, tmp_path: Path, moment: str
) -> None:
    told = Told.by(host)
    host.load(model)
    host.ask(1, question(), long)
    wait(qtbot, lambda: bool(children()))
    if moment != "loading":
        wait(qtbot, lambda: bool(told.progress))
    if moment == "frozen":
        (pid,) = children()
        os.kill(pid, signal.SIGSTOP)
    host.close()
    assert told.end(1).state == "interrupted"
    assert children() == set()
    assert SafeStart(tmp_path / "loading.json").crashed() is None
    host.load(model)
    host.ask(2, question(), GREEDY)
    assert children() == set()
