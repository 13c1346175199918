"""BatchEngine: a bundle in this process that answers several conversations at once, for a server."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from weakref import WeakSet

from runtime.arguments import check_callable, check_kind, check_whole
from runtime.batch import Deliver, Delivered
from runtime.chat import Message
from runtime.engines.answer import POLL_SECONDS, Answer
from runtime.engines.base import Engine, EngineInfo, check_for_bundle
from runtime.engines.model import LoadedModel, Question
from runtime.engines.queue import AnswerQueue, Asked, Ticket
from runtime.errors import EngineError
from runtime.events import Event
from runtime.options import GenerationOptions
from runtime.session import never

MOST_ANSWERS = 8
"""Answers that are written at once, unless asked otherwise."""


class BatchEngine(Engine):
    """Any number of answers at once, asked for from any threads; `most_answers` are written at a time, in one batch on
    the backend, fewer where its memory is full, and others wait in their order. Asking ends no other answer.

    One thread of its own feeds the model. As a context manager it closes itself.
    """

    def __init__(self, model: LoadedModel, *, most_answers: int = MOST_ANSWERS) -> None:
        """Raises OptionError unless `most_answers` is at least 1."""
        super().__init__()
        check_kind("model", model, LoadedModel, "a LoadedModel")
        check_whole("most_answers", most_answers, least=1)
        self._model = model
        self._most = most_answers
        self._answers: WeakSet[Answer] = WeakSet()  # who drops an answer ends it
        self._lock = threading.Lock()
        self._asked: SimpleQueue[Asked | None] = SimpleQueue()  # None is the end
        self._thread = threading.Thread(target=self._run, name="falconet-batch", daemon=True)
        self._thread.start()

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        backend: str | None = None,
        compute_units: str | None = None,
        template: str | None = None,
        most_answers: int = MOST_ANSWERS,
    ) -> BatchEngine:
        """Load the bundle in `folder`; arguments and errors as those of LocalEngine.open."""
        check_whole("most_answers", most_answers, least=1)
        model = LoadedModel.open(folder, backend=backend, compute_units=compute_units, template=template)
        return cls(model, most_answers=most_answers)

    @property
    def info(self) -> EngineInfo:
        """What answers."""
        return self._model.info

    @property
    def model(self) -> LoadedModel:
        """What runs: the bundle and its parts. Only the engine's own thread may use the backend."""
        return self._model

    @property
    def most_answers(self) -> int:
        """Answers that are written at once."""
        return self._most

    def begin_chat(
        self, messages: Sequence[Message], options: GenerationOptions, deliver: Deliver, *, goes_on: bool = False
    ) -> Ticket:
        """Answer a conversation, or with `goes_on` continue the answer that is its last message; `deliver` is told each
        event, in the engine's thread, which waits for it; last a Finished, or the exception that ended the answer.

        Raises as `chat` and `continue_answer`, before anything is delivered.
        """
        self._check_chat(messages, options, never, goes_on=goes_on)
        check_callable("deliver", deliver)
        return self._begin(self._model.chat(tuple(messages), options, goes_on=goes_on), deliver)

    def begin_completion(self, prompt: str, options: GenerationOptions, deliver: Deliver) -> Ticket:
        """Continue a text, as `begin_chat`."""
        self._check_completion(prompt, options, never)
        check_callable("deliver", deliver)
        return self._begin(self._model.complete(prompt, options), deliver)

    def _begin(self, question: Question, deliver: Deliver) -> Ticket:
        asked = Asked(question, deliver, Ticket())
        with self._lock:  # nothing is asked after the end
            self._check_open()
            self._asked.put(asked)
        return asked.ticket

    def _begun(self, ask: Callable[[], Answer]) -> Answer:
        """What `ask` gives, beside those in progress."""
        answer = ask()
        with self._lock:
            self._answers.add(answer)
        if self._closed.is_set():  # by another thread, which may have missed this answer
            answer.end()
        return answer

    def _chat(
        self,
        messages: tuple[Message, ...],
        options: GenerationOptions,
        cancelled: Callable[[], bool],
        *,
        goes_on: bool,
    ) -> Answer:
        return self._answer_to(self._model.chat(messages, options, goes_on=goes_on), cancelled)

    def _complete(self, prompt: str, options: GenerationOptions, cancelled: Callable[[], bool]) -> Answer:
        return self._answer_to(self._model.complete(prompt, options), cancelled)

    def _answer_to(self, question: Question, cancelled: Callable[[], bool]) -> Answer:
        told: SimpleQueue[Delivered] = SimpleQueue()
        return _BatchAnswer(told, self._begin(question, told.put), cancelled)

    def _count_tokens(self, messages: tuple[Message, ...]) -> int:
        return self._model.count_tokens(messages)

    def _check_options(self, options: GenerationOptions) -> None:
        check_for_bundle(options, self)

    def _close(self) -> None:
        """Answers in progress end as cancelled. It waits for them, but not in their thread, where `deliver` runs."""
        with self._lock:
            begun = tuple(self._answers)  # other threads add to them
        for answer in begun:
            answer.end()
        with self._lock:
            self._asked.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        """The engine's thread."""
        queue = AnswerQueue(self._model, self._most)
        try:
            while queue.open or queue.busy:
                self._take_in(queue)
                queue.turn()
        except BaseException:
            self._closed.set()
            with self._lock:  # nothing is asked from here on
                while not self._asked.empty():
                    queue.take(self._asked.get())
            queue.abandon(EngineError("The engine stopped by a fault of its own; open it again."))
            raise
        finally:
            queue.close()

    def _take_in(self, queue: AnswerQueue) -> None:
        """What was asked meanwhile; where nothing is written, what is asked next."""
        with contextlib.suppress(Empty):
            while queue.open:
                queue.take(self._asked.get(block=not queue.busy))


class _BatchAnswer(Answer):
    """What one ticket's answer delivers."""

    def __init__(self, told: SimpleQueue[Delivered], ticket: Ticket, cancelled: Callable[[], bool]) -> None:
        super().__init__(cancelled)
        self._told = told
        self._ticket = ticket

    def _stop(self) -> None:
        self._ticket.cancel()

    def _take(self) -> Event | None:
        try:
            news = self._told.get(timeout=POLL_SECONDS)
        except Empty:
            return None
        if isinstance(news, Exception):
            raise news
        return news
