"""LocalEngine: an answer is what the model would write, and a conversation is read once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from runtime.bundle import Bundle
from runtime.chat import ChatTemplate, Message
from runtime.engines.local import LocalEngine
from runtime.errors import BundleError, ChatError, ContextFullError, EngineError, OptionError
from runtime.events import Event, Finished, Prefilled, TextDelta
from runtime.options import GenerationOptions
from runtime.sampling import SamplingConfig
from runtime.tokenizer import Tokenizer
from tests.runtime.bundles import CONTEXT, talker
from tests.runtime.conftest import NgramBackend
from tests.tools import hub_twin

GREEDY = GenerationOptions(sampling=SamplingConfig(temperature=0))
TALK = "\n\nUser: Hello!\n\nAssistant: Hi, who are you?\n\nUser: I am Mia.\n\nAssistant: Good to see you, Mia."


def finish(events: Iterator[Event]) -> Finished:
    last = list(events)[-1]
    assert isinstance(last, Finished)
    return last


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    with LocalEngine.open(talker(), backend="torch") as opened:
        yield opened


@pytest.fixture
def reader(small_tokenizer: Tokenizer) -> LocalEngine:
    """An engine whose model has learnt TALK by heart, and ends it with <|endoftext|>."""
    ids = [*small_tokenizer.encode(TALK), small_tokenizer.eos_id]
    backend = NgramBackend([ids], vocab_size=small_tokenizer.vocab_size)
    return LocalEngine(Bundle.open(talker()), backend, small_tokenizer, ChatTemplate.named("falcon-instruct"))


def calls(engine: LocalEngine) -> int:
    assert isinstance(engine.backend, NgramBackend)
    return sum(engine.backend.calls)


def test_an_answer_is_what_transformers_writes_with_the_bundles_weights(engine: LocalEngine) -> None:
    ids = engine.tokenizer.encode("The capital")
    twin = hub_twin(engine.bundle.folder).generate(
        torch.tensor([ids]), max_new_tokens=20, do_sample=False, eos_token_id=None
    )
    assert finish(engine.complete("The capital", replace(GREEDY, max_new_tokens=20))).tokens == tuple(
        twin[0, len(ids) :].tolist()
    )


def test_an_empty_prompt_begins_after_end_of_text(engine: LocalEngine) -> None:
    finished = finish(engine.complete("", replace(GREEDY, max_new_tokens=3)))
    logits = hub_twin(engine.bundle.folder)(torch.tensor([[engine.tokenizer.eos_id]])).logits
    assert finished.stats.prompt_tokens == 1
    assert finished.tokens[0] == int(logits[0, -1].argmax())


def test_a_second_turn_reads_only_what_is_new(reader: LocalEngine) -> None:
    hello = Message("user", "Hello!")
    first = finish(reader.chat([hello], GREEDY))
    assert (first.reason, first.text) == ("stop", "Hi, who are you?")
    fed = calls(reader)
    answer = Message("assistant", first.text, first.tokens)
    second = finish(reader.chat([hello, answer, Message("user", "I am Mia.")], replace(GREEDY, prompt_lookup=False)))
    assert (second.reason, second.text) == ("stop", "Good to see you, Mia.")
    assert second.stats.reused_tokens >= first.stats.prompt_tokens + len(reader.tokenizer.encode(" Hi, who are you?"))
    assert second.stats.reused_tokens + second.stats.fed_tokens == second.stats.prompt_tokens
    assert calls(reader) - fed == second.stats.fed_tokens + len(second.tokens)


def test_the_control_token_that_ends_an_answer_is_no_part_of_it(reader: LocalEngine) -> None:
    finished = finish(reader.complete("\n\nAssistant: Good to see", GREEDY))
    assert (finished.reason, finished.text) == ("stop", " you, Mia.")
    assert reader.tokenizer.eos_id not in finished.tokens
    assert finished.stats.new_tokens == len(finished.tokens) + 1


def test_a_completion_ends_before_a_stop_text(reader: LocalEngine) -> None:
    finished = finish(reader.complete("\n\nAssistant: Good to see", replace(GREEDY, stop=("Mi",))))
    assert (finished.reason, finished.text) == ("stop", " you, ")


def test_a_cancelled_answer_keeps_what_was_said_and_the_conversation_goes_on(reader: LocalEngine) -> None:
    hello = Message("user", "Hello!")
    said: list[str] = []
    for event in reader.chat([hello], GREEDY, cancelled=lambda: len(said) > 2):
        if isinstance(event, TextDelta):
            said.append(event.text)
    assert isinstance(event, Finished)
    assert event.reason == "cancelled"
    assert event.text == "".join(said)
    assert "Hi, who are you?".startswith(event.text)
    assert event.text
    again = [hello, Message("assistant", event.text, event.tokens), Message("user", "I am Mia.")]
    answer = finish(reader.chat(again, GREEDY))
    assert answer.stats.reused_tokens >= event.stats.prompt_tokens + len(event.tokens) - 1
    assert answer.text == "Good to see you, Mia."


def test_text_of_a_control_token_does_not_end_a_conversation(reader: LocalEngine) -> None:
    plain, spelled = "x", "x<|endoftext|>"
    prefilled = next(iter(reader.chat([Message("user", spelled)])))
    assert isinstance(prefilled, Prefilled)
    assert prefilled.prompt_tokens > len(reader.template.encode([Message("user", plain)], reader.tokenizer)) + 1


def test_what_does_not_fit_is_refused_before_anything_is_fed(reader: LocalEngine) -> None:
    finish(reader.chat([Message("user", "Hello!")], GREEDY))
    fed = calls(reader)
    with pytest.raises(ContextFullError, match=r"conversation has [\d,]+ tokens and the model's context holds 256"):
        reader.chat([Message("user", "no " * 300)])
    with pytest.raises(ContextFullError, match=r"prompt has [\d,]+ tokens .* shorten it"):
        reader.complete("no " * 300)
    with pytest.raises(ChatError):
        reader.chat([])
    with pytest.raises(OptionError, match="max_new_tokens"):
        GenerationOptions(max_new_tokens=0)
    assert calls(reader) == fed
    assert finish(reader.chat([Message("user", "Hello!")], GREEDY)).text == "Hi, who are you?"


def test_an_answer_ends_where_the_context_does(engine: LocalEngine) -> None:
    prompt = " the" * (CONTEXT - 10)
    length = len(engine.tokenizer.encode(prompt))
    prompt = prompt[: len(prompt) * (CONTEXT - 10) // length // 4 * 4]
    length = len(engine.tokenizer.encode(prompt))
    finished = finish(engine.complete(prompt, GREEDY))
    assert finished.reason == "context"
    assert length + len(finished.tokens) == CONTEXT
    assert finish(engine.complete("x", replace(GREEDY, max_new_tokens=1))).reason == "length"


@pytest.mark.parametrize("seed", range(6))
def test_the_pieces_of_an_answer_are_the_answer(engine: LocalEngine, seed: int) -> None:
    events = list(
        engine.chat(
            [Message("user", "é")],
            GenerationOptions(sampling=SamplingConfig(temperature=5, seed=seed), max_new_tokens=60),
        )
    )
    assert isinstance(events[0], Prefilled)
    assert isinstance(events[-1], Finished)
    pieces = [event for event in events if isinstance(event, TextDelta)]
    assert len(pieces) == len(events) - 2
    assert "".join(piece.text for piece in pieces) == events[-1].text
    again = finish(
        engine.chat(
            [Message("user", "é")],
            GenerationOptions(sampling=SamplingConfig(temperature=5, seed=seed), max_new_tokens=60),
        )
    )
    assert again.text == events[-1].text
    assert again.stats.reused_tokens == again.stats.prompt_tokens - 1


def test_an_answer_ended_by_the_next_question_leaves_the_session_as_that_needs_it(engine: LocalEngine) -> None:
    alone = finish(engine.complete("A", replace(GREEDY, max_new_tokens=8))).tokens
    older = engine.complete("The capital", GREEDY)
    said = [next(older) for _ in range(4)]
    newer = engine.complete("A", replace(GREEDY, max_new_tokens=8))
    next(newer)
    ended = finish(older)
    assert ended.text == "".join(event.text for event in said if isinstance(event, TextDelta))
    assert engine.tokenizer.decode(ended.tokens) == ended.text
    assert finish(newer).tokens == alone


def test_an_answer_ended_before_it_was_begun_forgets_nothing(reader: LocalEngine) -> None:
    hello = [Message("user", "Hello!")]
    finish(reader.chat(hello, GREEDY))
    fed = calls(reader)
    never_read = reader.chat([Message("user", "Hello, who else?")], GREEDY)
    again = finish(reader.chat(hello, replace(GREEDY, prompt_lookup=False)))
    assert again.stats.reused_tokens == again.stats.prompt_tokens - 1
    assert calls(reader) - fed == again.stats.fed_tokens + again.stats.feeds
    assert (finish(never_read).reason, finish(reader.chat(hello, GREEDY)).text) == ("cancelled", again.text)


def test_asking_from_within_an_answer_is_refused_in_a_sentence(engine: LocalEngine) -> None:
    def ask() -> bool:
        engine.complete("A", GREEDY)
        return False

    with pytest.raises(EngineError, match="in the middle"):
        finish(engine.complete("The capital", GREEDY, cancelled=ask))
    closing: list[Any] = []
    closing.append(engine.complete("The capital", GREEDY, cancelled=lambda: closing[0].close() or False))
    assert [event for event in closing[0] if not isinstance(event, Prefilled)] == []
    assert finish(engine.complete("A", replace(GREEDY, max_new_tokens=3))).reason == "length"


def test_names_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no chat format"):
        LocalEngine.open(talker(), template="nonsense")
    with pytest.raises(OptionError, match="no backend"):
        LocalEngine.open(talker(), backend="nonsense")
    with pytest.raises(BundleError, match="not a bundle"):
        LocalEngine.open(tmp_path)
