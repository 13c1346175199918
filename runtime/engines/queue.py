"""AnswerQueue: the answers that are written at once and those that wait, for the thread that writes them."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

from runtime.batch import Batch, Deliver, tell
from runtime.engines.answer import Received
from runtime.engines.model import LoadedModel, Question
from runtime.errors import DeviceMemoryError, EngineError
from runtime.pool import SessionPool


class Ticket:
    """An answer that was asked for."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants it any more."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """End the answer: the last thing delivered is then a Finished of reason `cancelled`, unless it had ended. From
        any thread; harmless when repeated."""
        self._cancelled.set()


@dataclass(frozen=True)
class Asked:
    """A question, and who wants the answer."""

    question: Question
    deliver: Deliver
    ticket: Ticket


class AnswerQueue:
    """At most `most` answers of `model` are written at a time, fewer where the device's memory is full; others wait in
    their order."""

    def __init__(self, model: LoadedModel, most: int) -> None:
        self.open = True  # more may be asked
        self._model = model
        self._most = most
        self._room = most  # answers that are written now when memory is full, until one of them ends
        self._batch: Batch[Any] = Batch(model.backend)
        self._waiting: deque[Asked] = deque()
        # Conversations whose last answer has ended stay ready, too.
        self._pool: SessionPool[Any] = SessionPool(model.backend, state_bytes=model.state_bytes, most=2 * most)
        self._tickets: set[Ticket] = set()

    @property
    def busy(self) -> bool:
        """Whether answers are written or wait."""
        return bool(len(self._batch) or self._waiting)

    def take(self, asked: Asked | None) -> None:
        """Somebody asked, or with None, nobody will any more, and all that are left end."""
        if asked is not None:
            self._waiting.append(asked)
            self._tickets.add(asked.ticket)
            return
        self.open = False
        for ticket in self._tickets:
            ticket.cancel()

    def turn(self) -> None:
        """Begin what there is room for, and write on."""
        for asked in [asked for asked in self._waiting if asked.ticket.cancelled]:
            self._waiting.remove(asked)
            self._tickets.discard(asked.ticket)
            tell(asked.deliver, Received().finished("cancelled"))
        while self._waiting and len(self._batch) < self._room:
            self._room = self._most
            self._begin(self._waiting.popleft())
        self._batch.turn()

    def abandon(self, error: EngineError) -> None:
        """End all answers by `error`."""
        self.open = False
        self._batch.abandon(error)
        for asked in self._waiting:
            tell(asked.deliver, error)
        self._waiting.clear()

    def close(self) -> None:
        """Give memory and files back."""
        self._pool.clear()
        self._model.backend.close()

    def _begin(self, asked: Asked) -> None:
        question, deliver, ticket = asked.question, asked.deliver, asked.ticket
        ids = question.fitted.ids

        def cancelled() -> bool:
            return ticket.cancelled

        try:
            session = self._pool.session_for(ids, question.conversation)
            steps = question.writer.answer(session, ids, cancelled=cancelled)
        except Exception as error:  # noqa: BLE001 - a lost card, say: this answer's affair alone
            if isinstance(error, DeviceMemoryError) and len(self._batch):
                self._waiting.appendleft(asked)  # those that are written give memory back when they end
                self._room = len(self._batch)
                return
            self._tickets.discard(ticket)
            tell(deliver, error)
            return
        self._pool.hold(session)

        def ended() -> None:
            self._pool.release(session)
            self._tickets.discard(ticket)

        if question.fitted.trimmed is not None:
            tell(deliver, question.fitted.trimmed)
        self._batch.add(steps, deliver, cancelled, ended)
