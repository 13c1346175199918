"""What the store keeps, as frozen records. Times are seconds since 1970, ids are whole numbers above 0."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from runtime import GenerationOptions

MessageState = Literal["complete", "streaming", "interrupted", "failed"]
"""`streaming`: being written now; `interrupted`: it was when the program ended; `failed`: `error` says why."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What an answer took. Rates and times are None where nothing was written."""

    prompt_tokens: int
    reused_tokens: int  # of these, not read again
    new_tokens: int  # with a prompt of none: nobody counted
    first_token_seconds: float | None
    tokens_per_second: float | None
    reason: str  # runtime's FinishReason: stop, length, context or cancelled
    context_length: int | None  # tokens the model can hold; None where a service does not say


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """What the context policy left out of the conversation before this answer."""

    policy: str
    messages: int  # whole messages; 0 where only text within one was cut
    tokens: int


@dataclass(frozen=True, kw_only=True)
class StoredMessage:
    """One node of a chat's tree. Siblings, with the same parent, are alternatives to each other."""

    id: int
    chat: int
    parent: int | None  # None for a first message
    role: Literal["user", "assistant"]
    text: str
    state: MessageState
    created: float
    model: str | None = None  # who wrote an answer
    figures: Figures | None = None
    dropped: Dropped | None = None
    error: str | None = None  # one sentence
    reasoning: str = ""  # what the model thought before its answer: no part of the conversation


@dataclass(frozen=True, kw_only=True)
class Step:
    """A message on a chat's current path, and which of its alternatives it is."""

    message: StoredMessage
    index: int  # from 0, in order of creation
    count: int


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A system prompt and generation options under a name."""

    id: int
    name: str
    system_prompt: str
    options: GenerationOptions


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A named place for chats, in the user's order."""

    id: int
    name: str
    position: int


@dataclass(frozen=True, kw_only=True)
class Chat:
    """One conversation, without its messages."""

    id: int
    title: str  # empty until it has one
    titled_by_user: bool
    created: float
    updated: float  # of its last message
    folder: int | None = None
    pinned: bool = False
    archived: bool = False
    system_prompt: str = ""
    options: GenerationOptions = field(default_factory=GenerationOptions)
    draft: str = ""  # what stands in the composer
    model: str | None = None  # key of the model that it is answered with


@dataclass(frozen=True, kw_only=True)
class DeletedChat:
    """A chat that was deleted and can be had back until `kept_until`, in seconds since 1970."""

    chat: Chat
    kept_until: float


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A message, or a title (`message` None), that a search found."""

    chat: int
    message: int | None
    title: str
    snippet: str
    ranges: tuple[tuple[int, int], ...]  # [start, end) of what matched within `snippet`
    created: float


@dataclass(frozen=True, kw_only=True)
class Service:
    """A remote OpenAI-compatible service. Its key is in the system's keychain, never here."""

    id: int
    name: str
    url: str
    model: str | None  # None asks the service for its first
    has_key: bool
