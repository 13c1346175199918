"""RemoteEngine: an answer that is to go on, with services that go on and with those that begin anew."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runtime.chat import Message
from runtime.engines.remote import RemoteEngine
from runtime.errors import EngineError, ServiceError, ServiceUnreachableError
from runtime.events import Event, Finished, TextDelta
from runtime.options import GenerationOptions
from tests.runtime.openai_server import Handler, OpenAIServer

pytest.importorskip("httpx", reason="httpx is not installed (extra `remote`)")
BEGUN = "The sky is blue because air"
Behaviour = Callable[[Handler], None]


def says(*texts: str, finish: str = "stop") -> Behaviour:
    def behave(handler: Handler) -> None:
        handler.begin()
        for text in texts:
            handler.text(text)
        handler.text("", finish)
        handler.event("[DONE]")

    return behave


def continued(behave: Behaviour, begun: str = BEGUN, options: GenerationOptions | None = None) -> list[Event]:
    messages = [Message("user", "Why is the sky blue?"), Message("assistant", begun)]
    with OpenAIServer(behave) as server, RemoteEngine.open(server.url, model="falcon") as engine:
        return list(engine.continue_answer(messages, options or GenerationOptions()))


def texts(events: list[Event]) -> list[str]:
    last = events[-1]
    assert isinstance(last, Finished)
    deltas = [event.text for event in events if isinstance(event, TextDelta)]
    assert "".join(deltas) == last.text
    return deltas


def test_what_goes_on_is_handed_on_as_it_comes() -> None:
    assert texts(continued(says(" scatters", " blue", " light."))) == [" scatters", " blue", " light."]


@pytest.mark.parametrize(
    "pieces",
    [
        ["The sky is blue because air scatters", " it."],
        ["The sky is", " blue", " because", " air", " scatters it."],
        [*BEGUN, " scatters it."],
    ],
)
def test_a_beginning_that_comes_once_more_is_left_out_however_it_is_cut(pieces: list[str]) -> None:
    assert "".join(texts(continued(says(*pieces)))) == " scatters it."


def test_what_is_thought_anew_is_no_part_of_what_goes_on() -> None:
    assert texts(continued(says("<think>Once more.</think>\n\n", BEGUN, " scatters it."))) == [" scatters it."]


@pytest.mark.parametrize("pieces", [["The sky is", " low today."], ["The sky"], [" ", BEGUN], ["T", "his."]])
def test_a_text_that_only_begins_alike_is_kept_whole(pieces: list[str]) -> None:
    assert "".join(texts(continued(says(*pieces)))) == "".join(pieces)


def test_a_short_beginning_may_come_twice() -> None:
    assert "".join(texts(continued(says("ha", "ha!"), "ha"))) == "haha!"


@pytest.mark.parametrize("again", [BEGUN, BEGUN[:-5]])
@pytest.mark.parametrize("finish", ["stop", "length"])
def test_a_service_that_wrote_nothing_but_the_beginning_is_told_in_one_sentence(again: str, finish: str) -> None:
    options = GenerationOptions(max_new_tokens=20)
    with pytest.raises(ServiceError, match=r"wrote the answer anew instead of going on, and nothing new; ask for more"):
        continued(says(*again, finish=finish), options=options)


def test_what_is_held_when_the_connection_breaks_is_not_lost() -> None:
    def behave(handler: Handler) -> None:
        handler.begin()
        handler.text("The")
        handler.break_off()

    messages = [Message("user", "Why is the sky blue?"), Message("assistant", BEGUN)]
    shown: list[Event] = []
    with OpenAIServer(behave) as server, RemoteEngine.open(server.url, model="falcon") as engine:
        answer = engine.continue_answer(messages)
        with pytest.raises(ServiceUnreachableError):
            shown.extend(iter(answer))
    assert TextDelta("The", 1) in shown


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "Unrecognized request arguments supplied: add_generation_prompt, continue_final_message"),
        (422, "continue_final_message: Extra inputs are not permitted"),
        (400, "Assistant response prefill is incompatible with enable_thinking."),
        (400, "This model does not support assistant message prefill."),
        (400, "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant"),
    ],
    ids=["OpenAI", "strict fields", "llama.cpp", "Anthropic", "Mistral"],
)
def test_a_service_that_refuses_to_go_on_is_told_in_one_sentence(status: int, message: str) -> None:
    with pytest.raises(EngineError, match=r"cannot go on with an answer \(.*\); ask for more in a message of your own"):
        continued(lambda handler: handler.answer(status, {"error": {"message": message}}))
