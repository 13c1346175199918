"""Engine: the seam between who asks and where the model runs. One contract test holds for all engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from runtime.chat import Message
from runtime.events import Event
from runtime.generation import DEFAULT_OPTIONS
from runtime.options import GenerationOptions
from runtime.session import never


@dataclass(frozen=True, kw_only=True)
class EngineInfo:
    """What answers, for people and logs."""

    model: str  # the bundle's name, or the service's model
    backend: str  # `torch`, `coreml`, `reference`, or `remote`
    context_length: int | None  # tokens that prompt and answer may have together; None: the service does not say


class Engine(Protocol):
    """Answers conversations and continues texts. One answer at a time: asking again ends the one before.

    Answers are iterators of events with one `Finished` at the end. Errors that a user can mend are raised as
    UserFacingError: at the call where arguments are wrong, from the iterator where the world fails later.
    """

    @property
    def info(self) -> EngineInfo:
        """What answers."""

    def chat(
        self,
        messages: Sequence[Message],
        options: GenerationOptions = DEFAULT_OPTIONS,
        *,
        cancelled: Callable[[], bool] = never,
    ) -> Iterator[Event]:
        """Answer a conversation. `cancelled` is asked between tokens and between pieces of the prompt."""

    def complete(
        self,
        prompt: str,
        options: GenerationOptions = DEFAULT_OPTIONS,
        *,
        cancelled: Callable[[], bool] = never,
    ) -> Iterator[Event]:
        """Continue a text."""

    def count_tokens(self, messages: Sequence[Message]) -> int | None:
        """Tokens of the prompt that `chat` would feed; None where the service does not say.

        Raises what `chat` raises for messages that make no conversation.
        """

    def close(self) -> None:
        """Give back memory, files and processes. Harmless when repeated; no other call may follow."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
