"""Sources: what can be loaded. Frozen, comparable, each with a key that settings and chats can keep."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class LocalModel:
    """A bundle on this machine, run in a process of its own. `chat_format` is one of runtime's, in place of its own."""

    path: Path
    name: str
    chat_format: str | None = None

    @property
    def key(self) -> str:
        """The same in every run of the program."""
        return f"bundle:{self.path.absolute()}"


@dataclass(frozen=True, kw_only=True)
class EmbeddedModel:
    """The model that comes with the program. Its bundle is exported into the user's cache when it is first loaded."""

    name: str = "falcon-tiny-instruct"

    @property
    def key(self) -> str:
        """The same in every run of the program."""
        return "embedded"


@dataclass(frozen=True, kw_only=True)
class RemoteModel:
    """A model of an OpenAI-compatible service; `model` None asks the service for its first. The key is never shown.
    `service` is the number under which the store keeps it: two of them may differ in their keys alone."""

    url: str
    name: str
    model: str | None = None
    api_key: str | None = field(default=None, repr=False)
    service: int | None = None

    @property
    def key(self) -> str:
        """The same in every run of the program, whatever the service's key is."""
        number = "" if self.service is None else f"#{self.service}"
        return f"service:{self.url.rstrip('/')}#{self.model or ''}{number}"


Source = LocalModel | EmbeddedModel | RemoteModel

EMBEDDED = EmbeddedModel()
