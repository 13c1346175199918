"""Wire: what an engine and its child process say to each other, as lines of JSON.

A dataclass becomes an object that names its class; tuples become lists and come back as tuples, mappings become lists
of pairs. So a new field of an option or an event travels by itself, and comes back exactly as it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from importlib import import_module
from typing import Any

from runtime.chat import Message
from runtime.engines.base import EngineInfo
from runtime.errors import EngineError, UserFacingError
from runtime.events import Finished, Prefilled, ReasoningDelta, Stats, TextDelta, Trimmed
from runtime.options import GenerationOptions, Grammar
from runtime.sampling import SamplingConfig, TokenLogprobs

_CLASSES: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        *(EngineInfo, Finished, GenerationOptions, Grammar, Message, Prefilled),
        *(ReasoningDelta, SamplingConfig, Stats, TextDelta, TokenLogprobs, Trimmed),
    )
}
_CLASS, _PAIRS, _LARGE = "class", "pairs", "hex"
_LARGEST = 2**63  # Python reads no decimal number of more than 4,300 digits; what is this large travels in hex
_OURS = ("runtime.", "models.")


def pack(value: object) -> Any:
    """`value` as JSON's own types. TypeError for what has no place in a message, such as a dict for a Message."""
    match value:
        case None | bool() | str() | float():
            return value
        case int():
            return value if -_LARGEST < value < _LARGEST else {_LARGE: hex(value)}
        case list() | tuple():
            return [pack(item) for item in value]
        case Mapping():
            return {_PAIRS: [[pack(key), pack(item)] for key, item in value.items()]}
    known = next((kind for kind in type(value).__mro__ if _CLASSES.get(kind.__name__) is kind), None)
    if known is not None:  # a caller's own kind of Message travels as a Message
        return {_CLASS: known.__name__} | {field.name: pack(getattr(value, field.name)) for field in fields(known)}
    raise TypeError(f"{type(value).__name__} cannot be sent to the process that runs the model.")


def unpack(data: Any) -> Any:
    """What `pack` was given, sequences as tuples and mappings as dicts. KeyError for a class that it does not know."""
    if isinstance(data, list):
        return tuple(unpack(item) for item in data)
    if not isinstance(data, dict):
        return data
    if _LARGE in data:
        return int(data[_LARGE], 16)
    if _PAIRS in data:
        return {unpack(key): unpack(item) for key, item in data[_PAIRS]}
    return _CLASSES[data[_CLASS]](**{name: unpack(item) for name, item in data.items() if name != _CLASS})


def to_line(message: Mapping[str, Any]) -> bytes:
    """A message as one line. ASCII: half a surrogate pair travels, too, and no text can hold a line's end."""
    return json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"


def from_line(line: bytes) -> dict[str, Any] | None:
    """The message of a line; None for what is none, as the last line of a process that died while writing."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def pack_error(error: UserFacingError) -> dict[str, str]:
    """Where the error's class lives, and its parts."""
    kind = type(error)
    return {
        "module": kind.__module__,
        "name": kind.__qualname__,
        "sentence": error.sentence,
        "option": error.option,
    }


def unpack_error(data: Mapping[str, str]) -> UserFacingError:
    """The error again: of its own class, or an EngineError where this process has no such class."""
    kind = _find_error(data["module"], data["name"]) or EngineError
    return kind(data["sentence"], option=data.get("option", ""))


def _find_error(module: str, name: str) -> type[UserFacingError] | None:
    for kind in _kinds(UserFacingError):
        if (kind.__module__, kind.__qualname__) == (module, name):
            return kind
    if not module.startswith(_OURS):
        return None
    try:
        found = getattr(import_module(module), name, None)
    except ImportError:
        return None
    return found if isinstance(found, type) and issubclass(found, UserFacingError) else None


def _kinds(kind: type[UserFacingError]) -> Iterator[type[UserFacingError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _kinds(child)
