"""LocalEngine: a bundle, run in this process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from runtime.backends.base import Backend
from runtime.backends.choice import open_backend
from runtime.bundle import Bundle
from runtime.chat import ChatTemplate, Message
from runtime.engines.base import EngineInfo
from runtime.errors import ContextFullError
from runtime.events import Event
from runtime.generation import DEFAULT_OPTIONS, generate
from runtime.options import GenerationOptions
from runtime.session import Session, never
from runtime.tokenizer import Tokenizer


class LocalEngine:
    """A bundle, its tokenizer and one session on a backend. One answer at a time: asking again ends the one before.

    Not for several threads at once. As a context manager it closes itself.
    """

    def __init__(self, bundle: Bundle, backend: Backend[Any], tokenizer: Tokenizer, template: ChatTemplate) -> None:
        self.bundle = bundle
        self.backend = backend
        self.tokenizer = tokenizer
        self.template = template
        self._session: Session[Any] = Session(backend)
        self._answer: Generator[Event, None, None] | None = None

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        backend: str | None = None,
        compute_units: str | None = None,
        template: str | None = None,
    ) -> LocalEngine:
        """Load the bundle in `folder` on the named backend, or the best there is; `template` None is the bundle's own.

        `compute_units` are Core ML's: cpu_and_gpu (None), cpu_and_ne or cpu_only. Raises BundleError for a folder that
        is no whole bundle, BackendUnavailableError with the reason, OptionError for a backend, units or a template that
        do not exist.
        """
        bundle = Bundle.open(folder)
        chosen = ChatTemplate.named(template or bundle.manifest.chat_template)
        tokenizer = Tokenizer.open(bundle.folder)
        return cls(bundle, open_backend(bundle, backend, compute_units=compute_units), tokenizer, chosen)

    @property
    def info(self) -> EngineInfo:
        """What answers."""
        return EngineInfo(
            model=self.bundle.manifest.name, backend=self.backend.name, context_length=self.backend.context_length
        )

    @property
    def context_length(self) -> int:
        """Tokens that prompt and answer may have together."""
        return self.backend.context_length

    def chat(
        self,
        messages: Sequence[Message],
        options: GenerationOptions = DEFAULT_OPTIONS,
        *,
        cancelled: Callable[[], bool] = never,
    ) -> Iterator[Event]:
        """Answer a conversation; what it shares with the one before is not read again.

        Raises ChatError, TokenizerError, OptionError and ContextFullError at the call, before anything is fed.
        """
        prompt = self.template.encode(messages, self.tokenizer)
        self._check_room(prompt, "conversation", "shorten the last message or begin a new conversation")
        return self._begin(
            generate(
                self._session,
                prompt,
                self.tokenizer,
                options,
                stop=self.template.stop,
                stop_ids=self.template.stop_ids(self.tokenizer),
                trim=self.template.trims,
                cancelled=cancelled,
            )
        )

    def complete(
        self,
        prompt: str,
        options: GenerationOptions = DEFAULT_OPTIONS,
        *,
        cancelled: Callable[[], bool] = never,
    ) -> Iterator[Event]:
        """Continue a text; an empty one begins after `<|endoftext|>`, as documents do in training. Raises as `chat`."""
        ids = self.tokenizer.encode(prompt) or [self.tokenizer.eos_id]
        self._check_room(ids, "prompt", "shorten it")
        return self._begin(
            generate(
                self._session,
                ids,
                self.tokenizer,
                options,
                stop_ids={self.tokenizer.eos_id},
                cancelled=cancelled,
            )
        )

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt that `chat` would feed. Raises ChatError and TokenizerError."""
        return len(self.template.encode(messages, self.tokenizer))

    def close(self) -> None:
        """Give back the backend's memory. Harmless when repeated; no other call may follow."""
        if self._answer is not None:
            self._answer.close()
        self.backend.close()

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_room(self, ids: Sequence[int], what: str, remedy: str) -> None:
        if len(ids) > self.context_length:
            raise ContextFullError(
                f"The {what} has {len(ids):,} tokens and the model's context holds {self.context_length:,}: {remedy}."
            )

    def _begin(self, events: Iterator[Event]) -> Iterator[Event]:
        """`events` as the one answer in progress: an older one, left unfinished, would feed this one's session."""
        if self._answer is not None:
            self._answer.close()
        self._answer = (event for event in events)
        return self._answer
