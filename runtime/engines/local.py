"""LocalEngine: a bundle, run in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

from runtime.arguments import check_whole
from runtime.backends.base import Backend
from runtime.bundle import Bundle
from runtime.chat import ChatTemplate, Message
from runtime.engines.answer import Answer
from runtime.engines.base import BundleEngine, EngineInfo
from runtime.engines.model import LoadedModel, Question
from runtime.errors import EngineError
from runtime.events import Event, Finished, Trimmed
from runtime.need import served
from runtime.options import GenerationOptions
from runtime.pool import MOST_SESSIONS, SessionPool
from runtime.saved import SavedSession
from runtime.session import Session, never
from runtime.tokenizer import Tokenizer


class LocalEngine(BundleEngine):
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
        super().__init__()
        self._model = LoadedModel(bundle, backend, tokenizer, template)
        check_whole("most_sessions", most_sessions, least=1)
        self._pool: SessionPool[Any] = SessionPool(backend, state_bytes=self._model.state_bytes, most=most_sessions)

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

        `compute_units` are Core ML's: cpu_and_gpu, cpu_and_ne or cpu_only; None is the first, in a virtual machine the
        last. Raises BundleError for a folder that is no whole bundle, BackendUnavailableError with the reason,
        OptionError for a backend, units or a template that do not exist.
        """
        model = LoadedModel.open(folder, backend=backend, compute_units=compute_units, template=template)
        return cls(model.bundle, model.backend, model.tokenizer, model.template)

    @property
    def bundle(self) -> Bundle:
        """The bundle that runs."""
        return self._model.bundle

    @property
    def backend(self) -> Backend[Any]:
        """The loaded model."""
        return self._model.backend

    @property
    def tokenizer(self) -> Tokenizer:
        """The bundle's."""
        return self._model.tokenizer

    @property
    def template(self) -> ChatTemplate:
        """The chat format."""
        return self._model.template

    @property
    def info(self) -> EngineInfo:
        """What answers."""
        return self._model.info

    @property
    def context_length(self) -> int:
        """Tokens that prompt and answer may have together."""
        return self.backend.context_length

    def _chat(
        self,
        messages: tuple[Message, ...],
        options: GenerationOptions,
        cancelled: Callable[[], bool],
        *,
        goes_on: bool,
    ) -> Answer:
        """What it shares with conversations before is not read again. One that is longer than its room is refused or
        cut by the context policy of `options`; where it is cut, the first event says so (Trimmed)."""
        return self._answer_to(self._model.chat(messages, options, goes_on=goes_on), cancelled)

    def _complete(self, prompt: str, options: GenerationOptions, cancelled: Callable[[], bool]) -> Answer:
        """An empty text begins after `<|endoftext|>`, as documents do in training."""
        return self._answer_to(self._model.complete(prompt, options), cancelled)

    def _answer_to(self, question: Question, cancelled: Callable[[], bool]) -> Answer:
        """The answer. It has begun nothing yet."""
        ended = threading.Event()
        ids = question.fitted.ids
        session = self._pool.session_for(ids, question.conversation)
        steps = question.writer.answer(session, ids, cancelled=lambda: ended.is_set() or cancelled())
        return _LocalAnswer(_told(question.fitted.trimmed, served(self.backend, steps)), ended)

    def _count_tokens(self, messages: tuple[Message, ...]) -> int:
        return self._model.count_tokens(messages)

    def _save_session(self, file: Path) -> int:
        session = self._pool.latest
        if session is None or not session.tokens:
            return 0
        session.save(file, bundle=self.bundle.hash)
        return len(session.tokens)

    def _restore_session(self, file: Path) -> int:
        saved = SavedSession.read(file, bundle=self.bundle.hash)
        if not self._pool.use(saved.tokens):
            self._pool.add(Session.holding(self.backend, saved, file))
        return len(saved.tokens)

    def _close(self) -> None:
        self._pool.clear()
        self.backend.close()


class _LocalAnswer(Answer):
    """The events of `generate`, which ends as answers from elsewhere do. Its writer looks up at `ended`."""

    def __init__(self, events: Generator[Event, None, None], ended: threading.Event) -> None:
        super().__init__(never)  # the writer asks the caller's function by itself, between tokens
        self._events = events
        self._ended = ended
        self._writing = False  # the next event is being made
        self._last: Finished | None = None  # what the writer said when the engine ended it

    def end(self) -> None:
        """As Answer.end. Raises EngineError while an event is made: the state that it needs is in use."""
        if self._writing:
            raise EngineError("The engine is in the middle of an event; ask it when it has handed that on.")
        super().end()

    def _stop(self) -> None:
        self._ended.set()
        if self._writing:
            return  # it looks up after this token
        if self.cancelling and self.received.prefilled is not None:  # else there is nothing to tell, and much to feed
            for event in self._events:
                self._last = event if isinstance(event, Finished) else None
        self._events.close()

    def _take(self) -> Event:
        if self.cancelling:
            return self._last or self.received.finished("cancelled")
        self._writing = True
        try:
            return next(self._events)
        finally:
            self._writing = False
            if self._over:  # closed meanwhile
                self._events.close()


def _told(trimmed: Trimmed | None, events: Iterator[Event]) -> Generator[Event, None, None]:
    if trimmed is not None:
        yield trimmed
    yield from events
