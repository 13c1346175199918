"""The contract of engines: what holds wherever the model runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtime.chat import Message
from runtime.engines.base import BundleEngine, Engine
from runtime.engines.batch import BatchEngine
from runtime.engines.local import LocalEngine
from runtime.engines.process import ProcessEngine
from runtime.engines.remote import RemoteEngine
from runtime.errors import ChatError, ContextFullError, EngineError, OptionError, TokenizerError
from runtime.events import Event, Finished, Prefilled, TextDelta
from runtime.options import GenerationOptions, Grammar
from runtime.sampling import SamplingConfig
from tests.runtime.bundles import CONTEXT, talker
from tests.runtime.openai_server import OpenAIServer, serving
from tests.runtime.serving.running import RunningServer

GREEDY = GenerationOptions(sampling=SamplingConfig(temperature=0), max_new_tokens=12)
HOT = GenerationOptions(sampling=SamplingConfig(temperature=2, seed=7), max_new_tokens=12)
HELLO = [Message("user", "Hello!")]
KINDS = ("local", "process", "batch", "remote", "served")


@pytest.fixture(scope="module")
def local() -> Iterator[LocalEngine]:
    with LocalEngine.open(talker(), backend="torch") as opened:
        yield opened


def opened(kind: str, served: LocalEngine) -> Iterator[Engine]:
    if kind == "local":
        with LocalEngine.open(talker(), backend="torch") as engine:
            yield engine
    elif kind == "process":
        with ProcessEngine.open(talker(), backend="torch") as process:
            yield process
    elif kind == "batch":
        with BatchEngine.open(talker(), backend="torch") as batch:
            yield batch
    elif kind == "served":
        with (
            BatchEngine.open(talker(), backend="torch") as batch,
            RunningServer(batch) as running,
            RemoteEngine.open(running.url) as remote,
        ):
            yield remote
    else:
        with OpenAIServer(serving(served)) as server, RemoteEngine.open(server.url) as remote:
            yield remote


@pytest.fixture(scope="module", params=KINDS)
def engine(request: pytest.FixtureRequest, local: LocalEngine) -> Iterator[Engine]:
    yield from opened(request.param, local)


def finish(events: Iterator[Event]) -> Finished:
    last = list(events)[-1]
    assert isinstance(last, Finished)
    return last


def text_of(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


@pytest.mark.parametrize("options", [GREEDY, HOT, replace(HOT, logprobs=0)], ids=["greedy", "hot", "logprobs"])
def test_an_answer_is_prefilled_then_texts_then_finished_once(engine: Engine, options: GenerationOptions) -> None:
    for events in (list(engine.chat(HELLO, options)), list(engine.complete("The capital", options))):
        assert isinstance(events[0], Prefilled)
        assert isinstance(events[-1], Finished)
        deltas = [event for event in events if isinstance(event, TextDelta)]
        assert len(deltas) == len(events) - 2
        assert text_of(events) == events[-1].text
        counts = [delta.tokens for delta in deltas]
        assert counts == sorted(counts)
        assert events[-1].text


def test_the_same_bundle_gives_the_same_greedy_answer(engine: Engine, local: LocalEngine) -> None:
    wanted = finish(local.chat(HELLO, GREEDY)), finish(local.complete("The capital", GREEDY))
    found = finish(engine.chat(HELLO, GREEDY)), finish(engine.complete("The capital", GREEDY))
    assert [(end.reason, end.text) for end in found] == [(end.reason, end.text) for end in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert one.stats.prompt_tokens == other.stats.prompt_tokens
        assert one.stats.new_tokens == other.stats.new_tokens
        assert one.stats.first_token_seconds is not None
    assert finish(engine.chat(HELLO, GREEDY)).text == wanted[0].text


def test_a_seed_gives_the_same_answer_again_and_on_every_engine(engine: Engine, local: LocalEngine) -> None:
    wanted = finish(local.complete("The", HOT)).text
    assert [finish(engine.complete("The", HOT)).text for _ in range(2)] == [wanted, wanted]
    other = replace(HOT, sampling=replace(HOT.sampling, seed=8))
    assert finish(engine.complete("The", other)).text != wanted


def test_the_number_of_tokens_asked_for_ends_an_answer(engine: Engine) -> None:
    finished = finish(engine.complete("The capital", replace(GREEDY, max_new_tokens=5)))
    assert (finished.reason, finished.stats.new_tokens) == ("length", 5)


def test_the_context_ends_an_answer(engine: Engine, local: LocalEngine) -> None:
    def length(text: str) -> int:
        return len(local.template.encode([Message("user", text)], local.tokenizer))

    text = " x" * (CONTEXT // 3)
    while length(text) < CONTEXT - 8:
        text += " x"
    finished = finish(engine.chat([Message("user", text)], replace(GREEDY, max_new_tokens=None)))
    assert finished.reason == "context"
    assert finished.stats.prompt_tokens + finished.stats.new_tokens == CONTEXT


def test_a_stop_text_ends_an_answer_and_is_no_part_of_it(engine: Engine) -> None:
    whole = finish(engine.complete("The capital", GREEDY)).text
    stop = whole[4:6]
    finished = finish(engine.complete("The capital", replace(GREEDY, stop=(stop,))))
    assert finished.reason == "stop"
    assert finished.text == whole[: whole.index(stop)]


def test_logprobs_are_those_of_the_model(engine: Engine, local: LocalEngine) -> None:
    options = replace(GREEDY, logprobs=3)
    for ask in ("chat", "complete"):
        prompt: Any = HELLO if ask == "chat" else "The capital"
        wanted = finish(getattr(local, ask)(prompt, options))
        events = list(getattr(engine, ask)(prompt, options))
        finished = events[-1]
        assert [entry.token for entry in finished.logprobs] == list(wanted.tokens) == list(finished.tokens)
        for one, other in zip(finished.logprobs, wanted.logprobs, strict=True):
            assert one.logprob == pytest.approx(other.logprob, abs=1e-3)
            assert len(one.top) == 3
            assert one.top[0][0] == one.token
        told = [entry for event in events if isinstance(event, TextDelta) for entry in event.logprobs]
        assert told == list(finished.logprobs[: len(told)])
    assert finish(engine.complete("The capital", GREEDY)).logprobs == ()


def test_bias_and_penalties_arrive(engine: Engine, local: LocalEngine) -> None:
    sampling = SamplingConfig(
        temperature=0, logit_bias={36: -100}, presence_penalty=1, repetition_penalty=1.5, repetition_window=0
    )
    options = replace(GREEDY, sampling=sampling)
    wanted = finish(local.complete("The capital", options)).text
    assert wanted != finish(local.complete("The capital", GREEDY)).text
    assert finish(engine.complete("The capital", options)).text == wanted


def test_a_json_schema_is_kept(engine: Engine) -> None:
    pytest.importorskip("llguidance")
    grammar = Grammar(kind="json_schema", text='{"enum": ["yes", "no"]}')
    assert finish(engine.chat(HELLO, replace(GREEDY, grammar=grammar))).text in ('"yes"', '"no"')


def test_asking_again_ends_the_answer_before_which_says_so_once(engine: Engine) -> None:
    if isinstance(engine, BatchEngine):
        pytest.skip("this engine writes many answers at once: tests/runtime/test_batch_engine.py")
    alone = finish(engine.complete("A", GREEDY)).text
    older = engine.complete("The capital", replace(GREEDY, max_new_tokens=None))
    said = [next(older) for _ in range(4)]
    never_read = engine.complete("The", GREEDY)
    newer = engine.complete("A", GREEDY)
    next(newer)
    for answer, events in ((older, said), (never_read, [])):
        (ended,) = list(answer)
        assert isinstance(ended, Finished)
        assert (ended.reason, ended.text) == ("cancelled", text_of(events))
        assert list(answer) == []
    assert finish(newer).text == alone


def test_an_answer_closed_early_or_dropped_leaves_a_usable_engine(engine: Engine) -> None:
    alone = finish(engine.complete("A", GREEDY)).text
    long = replace(GREEDY, max_new_tokens=None)
    for _ in range(3):
        closed: Any = engine.complete("The capital", long)
        next(closed)
        closed.close()
        closed.close()
        assert list(closed) == []
        for _ in engine.chat(HELLO, long):
            break
        engine.chat(HELLO, long)  # never begun
    assert finish(engine.complete("A", GREEDY)).text == alone


def test_a_cancelled_answer_keeps_what_was_said(engine: Engine) -> None:
    said: list[str] = []
    whole = finish(engine.complete("The capital", replace(GREEDY, max_new_tokens=60))).text
    events = engine.complete("The capital", replace(GREEDY, max_new_tokens=60), cancelled=lambda: len(said) > 2)
    for event in events:
        if isinstance(event, TextDelta):
            said.append(event.text)
    assert isinstance(event, Finished)
    assert event.reason == "cancelled"
    assert event.text == "".join(said)
    assert whole.startswith(event.text)
    assert len(said) in (3, 4)
    assert list(events) == []


def test_an_answer_cancelled_at_once_has_no_text(engine: Engine) -> None:
    *before, last = engine.chat(HELLO, GREEDY, cancelled=lambda: True)
    assert all(isinstance(event, Prefilled) for event in before)  # where all of the prompt was read already
    assert isinstance(last, Finished)
    assert (last.reason, last.text) == ("cancelled", "")
    assert finish(engine.chat(HELLO, GREEDY)).reason == "length"


@pytest.mark.parametrize(
    "messages",
    [[], [Message("system", "Be brief.")], [*HELLO, *HELLO], [*HELLO, Message("assistant", "Hi")]],
    ids=["none", "system alone", "user twice", "answered"],
)
def test_messages_that_make_no_conversation_are_refused_at_the_call(engine: Engine, messages: list[Message]) -> None:
    with pytest.raises(ChatError):
        engine.chat(messages, GREEDY)
    if messages[-1:] != [Message("assistant", "Hi")]:  # which may go on
        with pytest.raises(ChatError):
            engine.count_tokens(messages)
        with pytest.raises(ChatError):
            engine.continue_answer(messages, GREEDY)


def test_an_answer_that_goes_on_is_the_answer_that_was_not_stopped(engine: Engine, local: LocalEngine) -> None:
    whole = finish(local.chat(HELLO, GREEDY))
    begun = finish(engine.chat(HELLO, replace(GREEDY, max_new_tokens=5)))
    messages = [*HELLO, Message("assistant", begun.text, begun.tokens)]
    rest = finish(engine.continue_answer(messages, replace(GREEDY, max_new_tokens=7)))
    assert begun.text + rest.text == whole.text
    assert engine.count_tokens(messages) in (rest.stats.prompt_tokens, None)


def test_a_grammar_cannot_bind_the_rest_of_an_answer(engine: Engine) -> None:
    bound = replace(GREEDY, grammar=Grammar(kind="regex", text="a+"))
    with pytest.raises(OptionError, match="ask anew"):
        engine.continue_answer([*HELLO, Message("assistant", "a")], bound)


def test_only_an_answer_goes_on(engine: Engine) -> None:
    with pytest.raises(ChatError, match="must be an answer"):
        engine.continue_answer(HELLO, GREEDY)


def test_text_that_is_none_is_refused_at_the_call_with_its_place(engine: Engine) -> None:
    for text, place in (("a\ud800", 2), ("\n  é\udfff b", 5)):
        with pytest.raises(TokenizerError, match=rf"Message 3 holds .* surrogate .* at character {place}\)"):
            engine.chat([*HELLO, Message("assistant", "Hi"), Message("user", text)], GREEDY)
        with pytest.raises(TokenizerError, match=rf"The text holds .* surrogate .* at character {place}\)"):
            engine.complete(text, GREEDY)


@pytest.mark.parametrize(
    "messages",
    [{"role": "user"}, "Hello", b"Hello", 5, None, iter(HELLO), [{"role": "user", "content": "Hello"}], [None]],
)
def test_what_are_no_messages_is_one_sentence_at_the_call(engine: Engine, messages: Any) -> None:
    for ask in (engine.chat, engine.count_tokens):
        with pytest.raises(ChatError, match="must be a "):
            ask(messages)


def test_arguments_of_the_wrong_kind_are_one_sentence_at_the_call_and_end_no_answer(engine: Engine) -> None:
    answer = engine.complete("A", GREEDY)
    next(answer)
    asks: list[tuple[Callable[..., object], object]] = [(engine.chat, HELLO), (engine.complete, "A")]
    wrong: Any
    for wrong in (None, 5, {"max_new_tokens": 5}):
        for ask, prompt in asks:
            with pytest.raises(OptionError, match="options must be a GenerationOptions, not"):
                ask(prompt, wrong)
            with pytest.raises(OptionError, match="cancelled must be a function, not"):
                ask(prompt, GREEDY, cancelled=wrong)
    for wrong in (None, 5, b"A", ["A"]):
        with pytest.raises(TokenizerError, match="Text must be a str, not"):
            engine.complete(wrong, GREEDY)
    assert finish(answer).reason == "length"


def test_a_callers_own_kind_of_message_is_a_message(engine: Engine) -> None:
    class Told(Message):
        pass

    assert finish(engine.chat([Told("user", "Hello!")], GREEDY)).text == finish(engine.chat(HELLO, GREEDY)).text


def test_what_does_not_fit_the_context_is_refused(engine: Engine) -> None:
    with pytest.raises(ContextFullError):
        finish(engine.chat([Message("user", "no " * CONTEXT)], GREEDY))
    assert finish(engine.chat(HELLO, GREEDY)).reason == "length"


def test_a_grammar_that_is_none_is_refused_at_the_call(engine: Engine) -> None:
    pytest.importorskip("llguidance")
    with pytest.raises(OptionError, match="JSON"):
        engine.chat(HELLO, replace(GREEDY, grammar=Grammar(kind="json_schema", text="{")))


def test_options_are_checked_before_anything_is_asked_with_them(engine: Engine) -> None:
    pytest.importorskip("llguidance")
    engine.check_options(replace(GREEDY, grammar=Grammar(kind="regex", text="[ab]+")))
    with pytest.raises(OptionError, match="JSON"):
        engine.check_options(replace(GREEDY, grammar=Grammar(kind="json_schema", text="{")))
    with pytest.raises(OptionError, match="must be a GenerationOptions"):
        engine.check_options(None)  # type: ignore[arg-type]
    unclosed = replace(GREEDY, grammar=Grammar(kind="regex", text="("))
    if engine.info.backend != "remote":
        with pytest.raises(OptionError, match="the regex cannot be used: unclosed group"):
            engine.check_options(unclosed)
    else:
        engine.check_options(unclosed)  # the service's own dialect


def test_a_bias_of_a_token_that_the_model_lacks_is_refused_before_anything_is_read(engine: Engine) -> None:
    vocab_size = engine.info.vocab_size
    if vocab_size is None:
        assert engine.info.backend == "remote"
        return  # the service's own tokens
    last, lacking = (
        replace(GREEDY, sampling=SamplingConfig(temperature=0, logit_bias={token: 1.0}))
        for token in (vocab_size - 1, vocab_size)
    )
    engine.check_options(last)
    asks: tuple[Callable[[], object], ...] = (
        lambda: engine.check_options(lacking),
        lambda: engine.chat(HELLO, lacking),
        lambda: engine.complete("A", lacking),
    )
    for ask in asks:
        with pytest.raises(OptionError, match=f"logit_bias names token {vocab_size}, but this model's vocabulary ends"):
            ask()


def test_what_a_service_cannot_be_asked_is_refused_before_it_is(engine: Engine) -> None:
    rolling = replace(GREEDY, context_policy="rolling")
    if engine.info.backend != "remote":
        engine.check_options(rolling)
    else:
        with pytest.raises(OptionError, match="context_policy rolling needs the model's tokenizer"):
            engine.check_options(rolling)


def test_nuls_and_every_kind_of_character_pass(engine: Engine, local: LocalEngine) -> None:
    text = "a\x00b\u2028\r\né😀 <|endoftext|>"
    assert (
        finish(engine.chat([Message("user", text)], GREEDY)).text
        == finish(local.chat([Message("user", text)], GREEDY)).text
    )


def test_tokens_are_counted_where_the_engine_can(engine: Engine, local: LocalEngine) -> None:
    assert engine.count_tokens(HELLO) in (local.count_tokens(HELLO), None)


def test_an_engine_says_what_it_is(engine: Engine, local: LocalEngine) -> None:
    assert engine.info.model == local.info.model
    assert engine.info.context_length == CONTEXT
    assert engine.info.backend in ("torch", "remote")


@pytest.mark.parametrize("kind", KINDS)
def test_closing_twice_is_harmless_ends_the_answer_and_leaves_one_sentence(
    kind: str, local: LocalEngine, tmp_path: Path
) -> None:
    for engine in opened(kind, local):
        answer = engine.complete("A", replace(GREEDY, max_new_tokens=None))
        said = [next(answer) for _ in range(2)]
        engine.close()
        engine.close()
        (ended,) = list(answer)
        assert isinstance(ended, Finished)
        assert (ended.reason, ended.text) == ("cancelled", text_of(said))
        assert engine.info.model == local.info.model
        uses: list[tuple[Callable[[Any], object], object]] = [
            *((engine.chat, HELLO), (engine.complete, "A"), (engine.count_tokens, HELLO))
        ]
        if isinstance(engine, BundleEngine):
            uses += [(engine.save_session, tmp_path / "saved"), (engine.restore_session, tmp_path / "saved")]
        for use, argument in uses:
            with pytest.raises(EngineError, match=r"^The engine was closed; open it again\.$"):
                use(argument)
        engine.close()
