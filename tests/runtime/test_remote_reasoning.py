"""RemoteEngine: what a model thinks before it answers comes apart from the answer, however a service sends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.chat import Message
from runtime.engines.remote import RemoteEngine
from runtime.engines.thoughts import Thoughts
from runtime.events import Event, Finished, Prefilled, ReasoningDelta, TextDelta
from runtime.options import GenerationOptions
from tests.runtime.openai_server import Handler, OpenAIServer

pytest.importorskip("httpx", reason="httpx is not installed (extra `remote`)")


def sends(*deltas: dict[str, Any], finish: str = "stop", usage: dict[str, int] | None = None) -> Callable[..., None]:
    def behave(handler: Handler) -> None:
        handler.begin()
        for delta in deltas:
            handler.event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        handler.text("", finish)
        if usage:
            handler.event({"choices": [], "usage": usage})
        handler.event("[DONE]")

    return behave


def asked(behave: Callable[[Handler], None], options: GenerationOptions | None = None) -> list[Event]:
    with OpenAIServer(behave) as server, RemoteEngine.open(server.url, model="thinker") as engine:
        return list(engine.chat([Message("user", "How many?")], options or GenerationOptions()))


def said(events: list[Event]) -> tuple[str, str]:
    """Thoughts and answer."""
    last = events[-1]
    assert isinstance(last, Finished)
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert last.text == text
    return "".join(event.text for event in events if isinstance(event, ReasoningDelta)), text


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_thoughts_that_are_sent_apart_come_as_they_are_thought_and_are_no_part_of_the_answer(name: str) -> None:
    events = asked(
        sends(
            {"role": "assistant", "content": None, name: "Let me"},
            {name: " count.", "content": ""},
            {"content": "Three", name: None},
            {"content": "."},
        )
    )
    assert isinstance(events[0], Prefilled), "the prompt was read"
    assert events[1:3] == [ReasoningDelta("Let me"), ReasoningDelta(" count.")]
    assert said(events) == ("Let me count.", "Three.")


def test_thoughts_that_are_sent_under_both_names_come_once() -> None:
    assert said(asked(sends({"reasoning": "Hm.", "reasoning_content": "Hm."}, {"content": "Three."})))[0] == "Hm."


@pytest.mark.parametrize("odd", [{"effort": "low"}, ["a"], 5])
def test_a_field_of_that_name_that_is_no_text_is_read_over(odd: object) -> None:
    assert said(asked(sends({"reasoning": odd, "content": "Three."}))) == ("", "Three.")


def test_a_whole_answer_has_its_thoughts_too() -> None:
    message = {"role": "assistant", "reasoning_content": "Hm.", "content": "Three."}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    assert said(asked(lambda handler: handler.answer(200, body))) == ("Hm.", "Three.")


TAGGED = "<think>\nOne, two,\n\n3 < 4 </ th.\n</think>\n\nThree </think>."


@pytest.mark.parametrize("pieces", [[TAGGED], [*TAGGED], ["<thi", *TAGGED[4:30], TAGGED[30:]]])
def test_thoughts_between_tags_come_apart_however_the_text_is_cut(pieces: list[str]) -> None:
    events = asked(sends(*({"content": piece} for piece in pieces)))
    assert said(events) == ("One, two,\n\n3 < 4 </ th.", "Three </think>.")


def test_thoughts_without_an_end_are_thoughts() -> None:
    assert said(asked(sends({"content": "<think>One, t"}, {"content": "wo</thi"}, finish="length"))) == (
        "One, two</thi",
        "",
    )


def test_no_thoughts_between_tags_are_none() -> None:
    assert said(asked(sends({"content": "<think>\n\n</think>\n\nThree."}))) == ("", "Three.")


@pytest.mark.parametrize("text", ["<thing> is a tag.", "The tag <think> opens </think>.", " Three.", "<thin", "\n"])
def test_a_text_that_does_not_begin_with_the_tag_stays_as_it_is(text: str) -> None:
    assert said(asked(sends(*({"content": letter} for letter in text)))) == ("", text)


@given(
    st.lists(st.sampled_from(["<think>", "</think>", "<", "thi", "nk>", "/", " ", "\n", "a"])).map("".join), st.data()
)
def test_where_text_is_cut_makes_no_difference_to_what_is_thought(text: str, data: st.DataObject) -> None:
    whole = Thoughts()
    expected = tuple(map("".join, zip(whole.feed(text), whole.finish(), strict=True)))
    cut, pieces = Thoughts(), []
    while text:
        size = data.draw(st.integers(1, len(text)))
        pieces.append(cut.feed(text[:size]))
        text = text[size:]
    pieces.append(cut.finish())
    assert tuple(map("".join, zip(*pieces, strict=True))) == expected


def test_where_nobody_counts_thoughts_are_counted_in_pieces_as_answers_are() -> None:
    apart = asked(sends({"reasoning": "One,"}, {"reasoning": " two."}, {"content": "Three"}, {"content": "."}))[-1]
    within = asked(sends(*({"content": piece} for piece in ("<think>", "</think>", "Three", "."))))[-1]
    assert isinstance(apart, Finished)
    assert isinstance(within, Finished)
    assert apart.stats.new_tokens == within.stats.new_tokens == 4, "they took the time that a rate is told of"


def test_a_text_that_is_completed_has_no_thoughts() -> None:
    def behave(handler: Handler) -> None:
        handler.begin()
        handler.event({"choices": [{"index": 0, "text": "<think>Hm.", "finish_reason": "stop"}]})

    with OpenAIServer(behave) as server, RemoteEngine.open(server.url, model="thinker") as engine:
        assert said(list(engine.complete("Tags:"))) == ("", "<think>Hm.")


def test_ids_of_thoughts_are_none_of_the_answer() -> None:
    def entry(token: int, text: str, **part: str) -> dict[str, Any]:
        content = [{"token": text, "id": token, "logprob": -0.5}]
        return {"index": 0, "delta": part, "finish_reason": None, "logprobs": {"content": content}}

    def behave(handler: Handler) -> None:
        handler.begin()
        handler.event({"choices": [entry(1, "Hm.", reasoning_content="Hm.")]})
        handler.event({"choices": [entry(2, "Three", content="Three")]})
        handler.text("", "stop")
        handler.event({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}})
        handler.event("[DONE]")

    last = asked(behave, GenerationOptions(logprobs=0))[-1]
    assert isinstance(last, Finished)
    assert (last.tokens, len(last.logprobs)) == ((2,), 1)
    assert last.stats.new_tokens == 2


def test_a_thought_is_the_first_token_that_was_waited_for() -> None:
    last = asked(sends({"reasoning": "Hm."}, finish="length"))[-1]
    assert isinstance(last, Finished)
    assert last.text == ""
    assert last.stats.first_token_seconds is not None
