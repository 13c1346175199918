"""A chat's current path as the conversation that a model is asked with."""

from __future__ import annotations

from collections.abc import Sequence

from desktop.store.records import Step
from runtime import Message


def conversation(system_prompt: str, path: Sequence[Step]) -> list[Message]:
    """The messages of `path`, ready to be answered where it ends with the user.

    Answers that failed before a word was written are left out: the user's messages around them follow each other, and
    the engine's host makes turns of them.
    """
    messages = [Message("system", system_prompt)] if system_prompt.strip() else []
    for step in path:
        message = step.message
        if message.role == "user" or message.text.strip():
            messages.append(Message(message.role, message.text))
    return messages
