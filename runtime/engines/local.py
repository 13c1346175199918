"""LocalEngine: a bundle, run in this process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from runtime.backends.base import Backend
from runtime.backends.choice import open_backend
from runtime.bundle import Bundle
from runtime.chat import ChatTemplate, Message
from runtime.context import fit_messages, fit_prompt
from runtime.engines.base import Engine, EngineInfo
from runtime.events import Event, Trimmed
from runtime.generation import DEFAULT_OPTIONS, generate
from runtime.options import GenerationOptions
from runtime.pool import MOST_SESSIONS, SessionPool
from runtime.saved import SavedSession
from runtime.session import Session, never
from runtime.tokenizer import Tokenizer

_COMPLETIONS = "completions"  # texts to be continued count as one conversation: the oldest gives way first


class LocalEngine(Engine):
    """A bundle, its tokenizer and a few sessions on a backend. One answer at a time: asking again ends the one before.

    The conversations answered last go on without being read again, as do those brought back by `restore_session`. Not
    for several threads at once. As a context manager it closes itself.
    """

    def __init__(
        self,
        bundle: Bundle,
        backend: Backend[Any],
        tokenizer: Tokenizer,
        template: ChatTemplate,
        *,
        most_sessions: int = MOST_SESSIONS,
    ) -> None:
        """`most_sessions`: conversations that are kept ready, fewer where their states take too much memory."""
        self.bundle = bundle
        self.backend = backend
        self.tokenizer = tokenizer
        self.template = template
        self._pool: SessionPool[Any] = SessionPool(backend, most=most_sessions)
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
        """Answer a conversation; what it shares with those before is not read again.

        One that is longer than its room is refused or cut by the context policy of `options`; where it is cut, the
        first event says so (Trimmed). Raises ChatError, TokenizerError, OptionError and ContextFullError at the call,
        before anything is fed.
        """
        fitted = fit_messages(messages, self.template, self.tokenizer, options, self.context_length)
        # Another beginning, another conversation.
        opening = tuple(message.content for message in messages[: 2 if messages[0].role == "system" else 1])
        return self._begin(
            fitted.trimmed,
            generate(
                self._pool.session_for(fitted.ids, opening),
                fitted.ids,
                self.tokenizer,
                options,
                stop=self.template.stop,
                stop_ids=self.template.stop_ids(self.tokenizer),
                trim=self.template.trims,
                cancelled=cancelled,
            ),
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
        fitted = fit_prompt(ids, self.tokenizer, options, self.context_length)
        return self._begin(
            fitted.trimmed,
            generate(
                self._pool.session_for(fitted.ids, _COMPLETIONS),
                fitted.ids,
                self.tokenizer,
                options,
                stop_ids={self.tokenizer.eos_id},
                cancelled=cancelled,
            ),
        )

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt that `chat` would feed. Raises ChatError and TokenizerError."""
        return len(self.template.encode(messages, self.tokenizer))

    def save_session(self, file: str | Path) -> int:
        """Keep what was read and written last in `file`, for `restore_session`: one file a conversation, saved after an
        answer. An answer in progress ends. Returns the tokens held; 0, and no file, where nothing is. Raises
        SessionFileError where the file cannot be written; an older one is whole, then.
        """
        self._end()
        session = self._pool.latest
        if session is None or not session.tokens:
            return 0
        session.save(file, bundle=self.bundle.hash)
        return len(session.tokens)

    def restore_session(self, file: str | Path) -> int:
        """Hold what `file` keeps: the conversation goes on as if it had never been away. Returns the tokens held.

        Raises SessionFileError for a file that is missing, damaged, newer than this program or saved with another
        bundle. Nothing is lost, then, but time: asked to go on, the engine reads the conversation again.
        """
        saved = SavedSession.read(Path(file), bundle=self.bundle.hash)
        if not self._pool.use(saved.tokens):
            self._pool.add(Session.holding(self.backend, saved, file))
        return len(saved.tokens)

    def close(self) -> None:
        """Give back the backend's memory. Harmless when repeated; no other call may follow."""
        self._end()
        self._pool.clear()
        self.backend.close()

    def _begin(self, trimmed: Trimmed | None, events: Iterator[Event]) -> Iterator[Event]:
        """`events` as the one answer in progress: an older one, left unfinished, would feed this one's session."""
        self._end()
        self._answer = _told(trimmed, events)
        return self._answer

    def _end(self) -> None:
        if self._answer is not None:
            self._answer.close()


def _told(trimmed: Trimmed | None, events: Iterator[Event]) -> Generator[Event, None, None]:
    if trimmed is not None:
        yield trimmed
    yield from events
