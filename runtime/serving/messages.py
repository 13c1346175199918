"""Messages of a request, in OpenAI's forms, as ours."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from runtime.chat import Message, Role
from runtime.errors import ChatError
from runtime.serving.errors import RefusalError
from runtime.serving.fields import Fields
from runtime.serving.unsupported import NO_TOOLS

_ROLES: dict[str, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


def read_messages(fields: Fields) -> tuple[Message, ...]:
    """The conversation in `fields`: what one role says in a row is one message, as chat formats want roles in turns.

    Raises RefusalError for what is none; the order of roles is the engine's affair.
    """
    found = fields.get("messages")
    if not isinstance(found, list) or not found:
        raise fields.wrong("messages", 'a list such as [{"role": "user", "content": "Hello"}]')
    read = (_message(item, f"messages[{place}]") for place, item in enumerate(found))
    rows = groupby((message for message in read if message is not None), key=lambda message: message.role)
    return tuple(_joined(list(row)) for _, row in rows)


def _joined(row: Sequence[Message]) -> Message:
    """What one role says in a row, as paragraphs."""
    return Message(row[0].role, "\n\n".join(message.content for message in row if message.content))


def _message(item: Any, place: str) -> Message | None:
    """None for a system message that says nothing, as clients send where their users wrote none."""
    if not isinstance(item, dict):
        raise RefusalError(f"{place} must be an object with role and content.", param=place, code="invalid_type")
    fields = Fields(item, place)
    role = fields.text("role")
    if role in ("tool", "function") or fields.get("tool_calls") or fields.get("function_call"):
        raise RefusalError(
            f"{place} is about a tool, but {NO_TOOLS}; leave it out.", param=place, code="unsupported_value"
        )
    if role not in _ROLES:
        raise fields.wrong("role", "system, developer, user or assistant")
    content = _content(fields)
    if _ROLES[role] == "system" and not content.strip():
        return None
    try:
        return Message(_ROLES[role], content)
    except ChatError as error:
        raise RefusalError(f"{place}: {error}", param=place, code="invalid_value") from None


def _content(fields: Fields) -> str:
    """A text, or texts in parts, each of which begins on a line of its own."""
    content = fields.get("content", "")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise fields.wrong("content", "a text or a list of parts")
    return "\n".join(_part(part, f"{fields.name('content')}[{place}]") for place, part in enumerate(content))


def _part(part: Any, place: str) -> str:
    fields = Fields(part if isinstance(part, dict) else {}, place)
    kind = fields.get("type")
    if kind == "text" and isinstance(fields.get("text"), str):
        return str(fields["text"])
    if isinstance(kind, str) and kind != "text":
        sentence = f"{place} is of type {kind[:40]!r}, but the model reads text only; leave it out."
        raise RefusalError(sentence, param=place, code="unsupported_value")
    raise RefusalError(f'{place} must be a part such as {{"type": "text", "text": "Hello"}}.', param=place)
