"""BatchEngine: many answers at once, each as a LocalEngine gives it alone. Of one: the engines' contract."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from queue import SimpleQueue
from typing import Any
from weakref import WeakSet

import pytest

from runtime.chat import Message
from runtime.engines.batch import BatchEngine
from runtime.engines.local import LocalEngine
from runtime.engines.model import LoadedModel
from runtime.errors import ChatError, ContextFullError, DeviceMemoryError, EngineError, OptionError, TokenizerError
from runtime.events import Event, Finished, TextDelta, Trimmed
from runtime.options import GenerationOptions, Grammar
from runtime.sampling import SamplingConfig
from tests import patience
from tests.runtime.bundles import talker

GREEDY = GenerationOptions(sampling=SamplingConfig(temperature=0), max_new_tokens=24)
ENDLESS = replace(GREEDY, max_new_tokens=None, prompt_lookup=False)  # a token after the other: it is stopped before

Told = SimpleQueue[Event | Exception]


@pytest.fixture(scope="module")
def local() -> Iterator[LocalEngine]:
    with LocalEngine.open(talker(), backend="torch") as engine:
        yield engine


@pytest.fixture(scope="module")
def engine() -> Iterator[BatchEngine]:
    with BatchEngine.open(talker(), backend="torch", most_answers=3) as opened:
        yield opened


def finish(events: Iterator[Event]) -> Finished:
    *_, last = events
    assert isinstance(last, Finished)
    return last


def end(told: Told) -> Finished | Exception:
    """The last thing delivered."""
    while True:
        news = told.get(timeout=patience.SECONDS)
        if isinstance(news, Finished | Exception):
            return news


def asked(text: str) -> list[Message]:
    return [Message("user", text)]


def test_answers_at_once_from_many_threads_are_those_of_one_by_one(engine: BatchEngine, local: LocalEngine) -> None:
    ways = [
        GREEDY,
        replace(GREEDY, sampling=SamplingConfig(temperature=1.5, seed=3)),
        replace(GREEDY, logprobs=2, max_new_tokens=9),
        replace(GREEDY, grammar=Grammar(kind="regex", text="[a-z]{3,9}")),
        replace(GREEDY, prompt_lookup=False),
    ]
    questions = [(f"{place} {'x ' * (place * 17 % 90)}", ways[place % len(ways)]) for place in range(12)]
    wanted = [finish(local.chat(asked(text), options)) for text, options in questions]
    with ThreadPoolExecutor(len(questions)) as threads:
        found = list(threads.map(lambda question: finish(engine.chat(asked(question[0]), question[1])), questions))
    for one, other in zip(found, wanted, strict=True):
        assert (one.reason, one.text, one.tokens) == (other.reason, other.text, other.tokens)
        assert one.stats.prompt_tokens == other.stats.prompt_tokens
        assert [entry.token for entry in one.logprobs] == [entry.token for entry in other.logprobs]


def test_no_more_than_so_many_are_written_at_once_and_others_wait_in_their_order(engine: BatchEngine) -> None:
    long: list[Told] = [SimpleQueue() for _ in range(3)]
    tickets = [engine.begin_completion("The capital", ENDLESS, told.put) for told in long]
    for told in long:
        while not isinstance(told.get(timeout=patience.SECONDS), TextDelta):
            pass
    order: Told = SimpleQueue()
    named = [replace(GREEDY, max_new_tokens=size) for size in (3, 2, 1)]
    for options in named:
        engine.begin_completion("A", options, order.put)
    gone: Told = SimpleQueue()
    engine.begin_completion("A", GREEDY, gone.put).cancel()
    last = end(gone)
    assert isinstance(last, Finished)
    assert (last.reason, last.text, last.stats.fed_tokens) == ("cancelled", "", 0)
    assert order.empty()  # the three that are written go on for long
    tickets[1].cancel()
    ends = [end(order) for _ in named]
    assert [one.stats.new_tokens for one in ends if isinstance(one, Finished)] == [3, 2, 1]
    for ticket, told in zip(tickets, long, strict=True):
        ticket.cancel()
        ticket.cancel()
        stopped = end(told)
        assert isinstance(stopped, Finished)
        assert stopped.reason == "cancelled"


def test_asking_ends_no_other_answer(engine: BatchEngine, local: LocalEngine) -> None:
    older = engine.complete("The capital", GREEDY)
    next(older)
    assert finish(engine.complete("A", GREEDY)).text == finish(local.complete("A", GREEDY)).text
    assert finish(older).text == finish(local.complete("The capital", GREEDY)).text


def test_a_second_turn_reads_no_more_than_is_new_and_one_beginning_serves_several(engine: BatchEngine) -> None:
    system = Message("system", "Be kind. " * 30)
    first = finish(engine.chat([system, *asked("Hello!")], GREEDY))
    assert first.stats.reused_tokens < 10
    turn = [system, *asked("Hello!"), Message("assistant", first.text, first.tokens), *asked("Bye!")]
    second = finish(engine.chat(turn, GREEDY))
    assert second.stats.fed_tokens < 20
    told: list[Told] = [SimpleQueue() for _ in range(3)]
    for place, queue in enumerate(told):
        engine.begin_chat([system, *asked(f"Question {place}")], GREEDY, queue.put)
    for queue in told:
        last = end(queue)
        assert isinstance(last, Finished)
        assert last.stats.fed_tokens < 20


def test_an_answer_goes_on(engine: BatchEngine, local: LocalEngine) -> None:
    whole = finish(local.chat(asked("Hello!"), GREEDY))
    begun = finish(engine.chat(asked("Hello!"), replace(GREEDY, max_new_tokens=5)))
    told: Told = SimpleQueue()
    messages = [*asked("Hello!"), Message("assistant", begun.text, begun.tokens)]
    engine.begin_chat(messages, replace(GREEDY, max_new_tokens=19), told.put, goes_on=True)
    rest = end(told)
    assert isinstance(rest, Finished)
    assert begun.text + rest.text == whole.text


def test_what_is_left_out_is_said_first(engine: BatchEngine) -> None:
    turns = [Message("assistant" if place % 2 else "user", "a " * 300) for place in range(9)]
    told: Told = SimpleQueue()
    engine.begin_chat(turns, replace(GREEDY, context_policy="rolling"), told.put)
    first = told.get(timeout=patience.SECONDS)
    assert isinstance(first, Trimmed)
    assert first.messages > 0
    assert isinstance(end(told), Finished)


def test_wrong_arguments_are_refused_at_the_call_and_nothing_is_delivered(engine: BatchEngine) -> None:
    told: Told = SimpleQueue()
    wrong: list[tuple[type[Exception], Any, Any]] = [
        (ChatError, [], {}),
        (ChatError, [Message("assistant", "Hi")], {}),
        (ContextFullError, asked("no " * 4000), {}),
        (OptionError, asked("Hi"), {"options": None}),
        (OptionError, asked("Hi"), {"options": replace(GREEDY, sampling=SamplingConfig(logit_bias={70_000: 1.0}))}),
        (OptionError, asked("Hi"), {"deliver": None}),
        (OptionError, asked("Hi"), {"options": replace(GREEDY, grammar=Grammar(kind="regex", text="("))}),
    ]
    for kind, messages, changed in wrong:
        with pytest.raises(kind):
            engine.begin_chat(messages, **{"options": GREEDY, "deliver": told.put} | changed)
    with pytest.raises(TokenizerError):
        engine.begin_completion("a\ud800", GREEDY, told.put)
    with pytest.raises(OptionError, match="deliver must be a function"):
        engine.begin_completion("a", GREEDY, None)  # type: ignore[arg-type]
    assert told.empty()
    with pytest.raises(OptionError, match="most_answers"):
        BatchEngine.open(talker(), most_answers=0)


def test_closing_ends_those_that_are_written_and_those_that_wait() -> None:
    engine = BatchEngine.open(talker(), backend="torch", most_answers=1)
    told: list[Told] = [SimpleQueue() for _ in range(3)]
    for queue in told:
        engine.begin_completion("The capital", ENDLESS, queue.put)
    while not isinstance(told[0].get(timeout=patience.SECONDS), TextDelta):
        pass
    engine.close()
    for queue in told:
        last = end(queue)
        assert isinstance(last, Finished)
        assert last.reason == "cancelled"
    with pytest.raises(EngineError, match="was closed"):
        engine.begin_completion("A", GREEDY, told[0].put)
    assert not engine._thread.is_alive()


def test_an_engine_may_be_closed_by_whom_it_tells() -> None:
    engine = BatchEngine.open(talker(), backend="torch")
    told: Told = SimpleQueue()

    def close(news: Event | Exception) -> None:
        told.put(news)
        if isinstance(news, TextDelta):
            engine.close()

    engine.begin_completion("The capital", ENDLESS, close)
    last = end(told)
    assert isinstance(last, Finished)
    assert last.reason == "cancelled"
    engine._thread.join(patience.SECONDS)
    assert not engine._thread.is_alive()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_the_engines_own_is_told_to_all_and_leaves_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = BatchEngine(LoadedModel.open(talker(), backend="torch", compute_units=None, template=None), most_answers=1)
    told: list[Told] = [SimpleQueue() for _ in range(2)]
    for queue in told:
        engine.begin_completion("The capital", ENDLESS, queue.put)
    while not isinstance(told[0].get(timeout=patience.SECONDS), TextDelta):
        pass

    def broken(batch: object) -> None:
        raise MemoryError

    monkeypatch.setattr("runtime.batch.Batch.turn", broken)
    for queue in told:
        failed = end(queue)
        assert isinstance(failed, EngineError)
        assert "open it again" in str(failed)
    engine._thread.join(patience.SECONDS)
    with pytest.raises(EngineError):
        engine.complete("A", GREEDY)
    engine.close()


def test_an_answer_that_cannot_begin_is_told_why_and_the_others_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    with BatchEngine.open(talker(), backend="torch") as engine:
        good: Told = SimpleQueue()
        ticket = engine.begin_completion("The capital", ENDLESS, good.put)
        while not isinstance(good.get(timeout=patience.SECONDS), TextDelta):
            pass

        def broken(*_: object) -> None:
            raise RuntimeError("CUDA error: the card was lost")

        with monkeypatch.context() as patch:
            patch.setattr("runtime.pool.SessionPool.session_for", broken)
            bad: Told = SimpleQueue()
            engine.begin_completion("A", GREEDY, bad.put)
            assert isinstance(end(bad), RuntimeError)
        ticket.cancel()
        assert isinstance(end(good), Finished)
        assert finish(engine.complete("A", GREEDY)).reason == "length"


def test_an_answer_without_memory_waits_for_others_to_end_and_alone_is_told(
    monkeypatch: pytest.MonkeyPatch, local: LocalEngine
) -> None:
    states: WeakSet[Any] = WeakSet()
    room, refused = 2, 0
    with BatchEngine.open(talker(), backend="torch", most_answers=4) as engine:
        made = engine.model.backend.new_state

        def new_state() -> Any:
            nonlocal refused
            if len(states) >= room:
                refused += 1
                raise DeviceMemoryError("The card's memory is full.")
            state = made()
            states.add(state)
            return state

        monkeypatch.setattr(engine.model.backend, "new_state", new_state)
        long: list[Told] = [SimpleQueue() for _ in range(2)]
        tickets = [engine.begin_completion(text, ENDLESS, told.put) for text, told in zip("XY", long, strict=True)]
        for told in long:
            while not isinstance(told.get(timeout=patience.SECONDS), TextDelta):
                pass
        order: Told = SimpleQueue()
        for text in "AB":
            engine.begin_completion(text, GREEDY, order.put)
        patience.until(lambda: refused)
        assert order.empty()
        tickets[0].cancel()
        for text in "AB":
            last = end(order)
            assert isinstance(last, Finished)
            assert last.text == finish(local.complete(text, GREEDY)).text
        tickets[1].cancel()
        assert [type(end(told)) for told in long] == [Finished, Finished]
        room = 0
        engine.begin_completion("C", GREEDY, order.put)
        assert isinstance(end(order), DeviceMemoryError)
        room = 2
        assert finish(engine.complete("A", GREEDY)).reason == "length"
