"""What a user said in several messages without an answer between them: the model is asked with one."""

from __future__ import annotations

from collections.abc import Sequence

from runtime import Message


def joined(messages: Sequence[Message]) -> tuple[Message, ...]:
    """User's messages that follow each other become one: roles must take turns, and nothing that was said is lost."""
    turns: list[Message] = []
    for message in messages:
        if message.role == "user" and turns and turns[-1].role == "user":
            turns[-1] = Message("user", f"{turns[-1].content}\n\n{message.content}")
        else:
            turns.append(message)
    return tuple(turns)


def latest(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Of user's messages that follow each other the last one: where there is no room for all of them, what could not
    be answered must stop nothing that is asked now, nor take the place of what was answered."""
    following = [*messages[1:], None][: len(messages)]
    return tuple(
        message
        for message, after in zip(messages, following, strict=True)
        if not (message.role == "user" and after is not None and after.role == "user")
    )
