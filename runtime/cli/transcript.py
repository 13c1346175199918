"""Conversations in files: JSON that comes back, Markdown for people. A file appears whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.bounded import read_bounded
from runtime.chat import Message, check_conversation
from runtime.cli.text import reason
from runtime.errors import ChatError, OptionError
from runtime.whole import write_whole

_FORMAT = "falconet conversation"
_VERSION = 1
_LARGEST = 64_000_000  # bytes; no conversation comes near
_HEADINGS = {"system": "System", "user": "User", "assistant": "Assistant"}


@dataclass(frozen=True)
class Transcript:
    """What was said: the system message, and user and assistant in turns, ending with an answer."""

    system: str | None
    turns: tuple[Message, ...]

    @property
    def messages(self) -> tuple[Message, ...]:
        """All of it, as an engine takes it."""
        return (*((Message("system", self.system),) if self.system else ()), *self.turns)


def save(transcript: Transcript, file: Path, *, model: str, replace: bool = False) -> None:
    """Write `file`, JSON or Markdown by its suffix. Raises OptionError; an existing one stays unless `replace`."""
    writers = {".json": _as_json, ".md": _as_markdown, ".markdown": _as_markdown}
    writer = writers.get(file.suffix.lower())
    if writer is None:
        raise OptionError(f"{file} would be neither: end the name with .json, which /load reads, or with .md.")
    data = writer(transcript.messages, model).encode("utf-8", errors="replace")
    try:
        _write(file, data, replace)
    except FileExistsError:
        raise OptionError(f"{file} exists; `/save! {file}` replaces it.") from None
    except (OSError, ValueError) as error:  # ValueError: NUL in a name
        raise OptionError(f"{file} cannot be written ({reason(error)}); name another place.") from None


def load(file: Path) -> Transcript:
    """Read what `save` wrote as JSON, or a list of messages as OpenAI's API has it. Raises OptionError and ChatError,
    which name the file and what is wrong in it."""
    try:
        data = read_bounded(file, _LARGEST)
    except (OSError, ValueError) as error:
        raise OptionError(f"{file} cannot be read ({reason(error)}); name what /save wrote.") from None
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise OptionError(f"{file} is not JSON; only what /save wrote to a .json can be loaded.") from None
    if isinstance(found, dict):
        if found.get("format") != _FORMAT or not isinstance(found.get("messages"), list):
            raise OptionError(f"{file} holds no conversation; name what /save wrote.")
        if found.get("version") != _VERSION:
            raise OptionError(f"{file} was written by another version of Falconet; update it to read this file.")
        found = found["messages"]
    if not isinstance(found, list):
        raise OptionError(f"{file} holds no conversation; name what /save wrote.")
    try:
        return _checked([_message(item, place) for place, item in enumerate(found, start=1)])
    except ChatError as error:
        raise ChatError(f"{file}: {error}") from None


def _checked(messages: Sequence[Message]) -> Transcript:
    if messages:
        only_system = len(messages) == 1 and messages[0].role == "system"
        if not only_system:
            check_conversation(messages, for_answer=False)
            if messages[-1].role == "user":
                raise ChatError("The last message has no answer; leave it out and ask it.")
    system = messages[0].content if messages and messages[0].role == "system" else None
    return Transcript(system, tuple(messages[1:] if system else messages))


def _message(item: Any, place: int) -> Message:
    if not isinstance(item, dict) or not isinstance(item.get("role"), str) or not isinstance(item.get("content"), str):
        raise ChatError(f"Message {place} is none: it needs a role and a content, both texts.")
    tokens = item.get("tokens", [])
    if not isinstance(tokens, list) or any(type(token) is not int or not 0 <= token < 2**31 for token in tokens):
        raise ChatError(f"The tokens of message {place} are no ids; leave them out.")
    return Message(item["role"], item["content"], tuple(tokens))


def _as_json(messages: Sequence[Message], model: str) -> str:
    said = [
        {"role": message.role, "content": message.content}
        | ({"tokens": list(message.tokens)} if message.tokens else {})  # the same ids need not be read again
        for message in messages
    ]
    lines = ",\n".join(f"    {json.dumps(item, ensure_ascii=False)}" for item in said)
    head = f'  "format": {json.dumps(_FORMAT)},\n  "version": {_VERSION},\n  "model": {json.dumps(model)},\n'
    return "{\n" + head + '  "messages": [\n' + lines + "\n  ]\n}\n"


def _as_markdown(messages: Sequence[Message], model: str) -> str:
    parts = [f"# Conversation with {model}"]
    for message in messages:
        parts += [f"## {_HEADINGS[message.role]}", message.content.strip()]
    return "\n\n".join(parts) + "\n"


def _write(file: Path, data: bytes, replace: bool) -> None:
    """Write `file` whole. Raises FileExistsError, and OSError of any other kind."""
    if not replace and os.path.lexists(file):
        raise FileExistsError(file)
    if file.is_dir():
        raise IsADirectoryError(21, "it is a folder")
    write_whole(file, [data])
