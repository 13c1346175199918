"""What of a chat the model is asked with."""

from __future__ import annotations

from typing import Literal

from desktop.controllers.prompt import conversation
from desktop.engine.turns import joined, latest
from desktop.store.records import MessageState, Step, StoredMessage
from runtime import Message


def step(role: Literal["user", "assistant"], text: str, state: MessageState = "complete") -> Step:
    message = StoredMessage(id=1, chat=1, parent=None, role=role, text=text, state=state, created=0)
    return Step(message=message, index=0, count=1)


def test_the_path_is_the_conversation() -> None:
    path = [step("user", "Hello."), step("assistant", "Hi!"), step("user", "Who are you?")]
    assert conversation("", path) == [
        Message("user", "Hello."),
        Message("assistant", "Hi!"),
        Message("user", "Who are you?"),
    ]


def test_a_system_prompt_comes_first_unless_it_is_blank() -> None:
    assert conversation("Be brief.", [step("user", "Hello.")])[0] == Message("system", "Be brief.")
    assert conversation(" \n", [step("user", "Hello.")]) == [Message("user", "Hello.")]


def test_an_interrupted_answer_counts_with_what_it_said() -> None:
    path = [step("user", "Count."), step("assistant", "One, two", "interrupted"), step("user", "Go on.")]
    assert conversation("", path)[1] == Message("assistant", "One, two")


def test_a_question_whose_answer_failed_is_asked_with_the_next_one() -> None:
    path = [step("user", "My name is Ada."), step("assistant", "", "failed"), step("user", "What is my name?")]
    messages = conversation("Be brief.", path)
    assert joined(messages) == (
        Message("system", "Be brief."),
        Message("user", "My name is Ada.\n\nWhat is my name?"),
    )
    assert latest(messages) == (Message("system", "Be brief."), Message("user", "What is my name?"))


def test_turns_that_alternate_stay_as_they_are() -> None:
    messages = [Message("user", "a"), Message("assistant", "b"), Message("user", "c")]
    assert joined(messages) == latest(messages) == tuple(messages)
    assert joined([]) == latest([]) == ()
