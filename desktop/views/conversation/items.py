"""What the conversation shows of one message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from desktop.store.records import Dropped, Figures, MessageState


@dataclass(frozen=True, kw_only=True)
class MessageItem:
    """A message and which of its alternatives it is."""

    id: int
    role: Literal["user", "assistant"]
    text: str
    state: MessageState
    index: int = 0  # from 0, among `count` alternatives
    count: int = 1
    model: str | None = None  # a name to show
    figures: Figures | None = None
    dropped: Dropped | None = None
    error: str | None = None  # one sentence
