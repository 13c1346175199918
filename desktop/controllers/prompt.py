"""A chat's current path as the conversation that a model is asked with."""

from __future__ import annotations

from collections.abc import Sequence

from desktop.store.records import Step
from runtime import Message


def conversation(system_prompt: str, path: Sequence[Step]) -> list[Message]:
    """The messages of `path`, ready to be answered where it ends with the user.

    Answers that failed before a word was written are left out, and the questions around them become one turn: roles
    must take turns, and what the user said is not lost.
    """
    messages = [Message("system", system_prompt)] if system_prompt.strip() else []
    for step in path:
        message = step.message
        if message.role == "assistant":
            if message.text.strip():
                messages.append(Message("assistant", message.text))
        elif messages and messages[-1].role == "user":
            messages[-1] = Message("user", f"{messages[-1].content}\n\n{message.text}")
        else:
            messages.append(Message("user", message.text))
    return messages
