"""Requests as tests write them, and what a stream says."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from runtime.chat import Message
from runtime.options import GenerationOptions
from runtime.sampling import SamplingConfig

HELLO: list[dict[str, Any]] = [{"role": "user", "content": "Hello!"}]
HELLO_MESSAGES = [Message("user", "Hello!")]
GREEDY = GenerationOptions(sampling=SamplingConfig(temperature=0), max_new_tokens=12)
ENDLESS: dict[str, Any] = {"prompt": "The capital", "max_tokens": 2_000, "temperature": 0, "stream": True}


def chat(**fields: Any) -> dict[str, Any]:
    """A chat whose answer is the same each time, 12 tokens long."""
    return {"messages": HELLO, "temperature": 0, "max_tokens": 12, **fields}


def completion(**fields: Any) -> dict[str, Any]:
    """The same for a text."""
    return {"prompt": "The capital", "temperature": 0, "max_tokens": 12, **fields}


def events(lines: Iterable[str]) -> list[Any]:
    """The data of a stream's events; the last has to be its end."""
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    assert data[-1] == "[DONE]"
    return [json.loads(text) for text in data[:-1]]
