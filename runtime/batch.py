"""Batch: answers that are written at once. Each turn serves what all of them wait for in few calls of the backend.

Tokens of all answers are chosen in one call. Prompts are read in pieces between them, first come first served and no
more than a piece's tokens a turn, so that an answer being written never waits for more than one piece.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from runtime.backends.base import Backend, S
from runtime.events import Event
from runtime.generation import Steps
from runtime.need import Need, UnservedError

Delivered = Event | Exception
"""What is told of an answer: its events, the last a Finished, or the error that ended it."""

Deliver = Callable[[Delivered], None]
"""Who wants an answer."""


@dataclass(eq=False)
class _Writing(Generic[S]):
    steps: Steps[S]
    deliver: Deliver
    cancelled: Callable[[], bool]
    ended: Callable[[], object]
    need: Need[S] | None = None


class Batch(Generic[S]):
    """Any number of answers on one backend. For one thread."""

    def __init__(self, backend: Backend[S]) -> None:
        self._backend = backend
        self._answers: list[_Writing[S]] = []  # in the order in which they came

    def __len__(self) -> int:
        """Answers that have not ended."""
        return len(self._answers)

    def add(
        self, steps: Steps[S], deliver: Deliver, cancelled: Callable[[], bool], ended: Callable[[], object]
    ) -> None:
        """Begin an answer, whose session is its own until `ended` is called: once, whatever ended it.

        `cancelled` is the one that `steps` ask, too: an answer whose prompt waits for others is ended by it without
        being read. One that cannot be delivered ends.
        """
        answer = _Writing(steps, deliver, cancelled, ended)
        self._answers.append(answer)
        self._advance(answer, lambda: steps.send(None))

    def abandon(self, error: Exception) -> None:
        """End all answers by `error`, which each is told, whatever fails in ending others."""
        for answer in tuple(self._answers):
            try:
                self._end(answer)
            except Exception:
                logging.getLogger(__name__).exception("an answer did not end as it should")
            tell(answer.deliver, error)

    def turn(self) -> None:
        """Serve a need of each answer, but of prompts only as much as one piece. Harmless where there is none."""
        choosing: list[_Writing[S]] = []
        scoring: list[_Writing[S]] = []
        drafted: list[_Writing[S]] = []
        reading: list[_Writing[S]] = []
        for answer in self._answers:
            need = answer.need
            assert need is not None, "answers wait or have ended"
            if need.chooser is not None:
                choosing.append(answer)
            elif need.scores == "each":
                drafted.append(answer)
            else:
                (scoring if len(need.tokens) == 1 else reading).append(answer)
        self._serve(choosing, self._choose)
        self._serve(scoring, self._score)
        for answer in drafted:
            self._serve([answer], lambda needs: [needs[0].served_by(self._backend)])
        self._serve(self._next_to_read(reading), self._score)

    def _next_to_read(self, reading: Sequence[_Writing[S]]) -> list[_Writing[S]]:
        """Those whose pieces make up one together; who wants no more leaves the queue."""
        chosen: list[_Writing[S]] = []
        room = self._backend.chunk_length
        for answer in reading:
            assert answer.need is not None
            if answer.cancelled():
                self._throw(answer, UnservedError())
            elif room >= len(answer.need.tokens) or not chosen:
                chosen.append(answer)
                room -= len(answer.need.tokens)
            else:
                room = 0
        return chosen

    def _choose(self, needs: Sequence[Need[S]]) -> Sequence[Any]:
        asks = [(need.tokens, need.state, need.chooser) for need in needs if need.chooser is not None]
        return self._backend.choose_batch(asks)

    def _score(self, needs: Sequence[Need[S]]) -> Sequence[Any]:
        return self._backend.feed_batch([(need.tokens, need.state) for need in needs])

    def _serve(self, answers: Sequence[_Writing[S]], call: Callable[[Sequence[Need[S]]], Sequence[Any]]) -> None:
        """Send each answer its reply of `call`, or the error that it has instead."""
        if not answers:
            return
        try:
            replies = call([answer.need for answer in answers if answer.need is not None])
        except Exception as error:  # noqa: BLE001 - each answer has to know of it, and to say so
            replies = [error] * len(answers)
        for answer, reply in zip(answers, replies, strict=True):
            if isinstance(reply, Exception):
                self._throw(answer, reply)
            else:
                self._send(answer, reply)

    def _send(self, answer: _Writing[S], reply: object) -> None:
        self._advance(answer, lambda: answer.steps.send(reply))

    def _throw(self, answer: _Writing[S], error: Exception) -> None:
        self._advance(answer, lambda: answer.steps.throw(error))

    def _advance(self, answer: _Writing[S], step: Callable[[], Event | Need[S]]) -> None:
        """Go on with `step` until the answer waits for something or ends; its events are delivered."""
        answer.need = None
        try:
            item = step()
            while not isinstance(item, Need):
                if not tell(answer.deliver, item):
                    self._end(answer)
                    return
                item = next(answer.steps)
            answer.need = item
        except StopIteration:
            self._end(answer)
        except Exception as error:  # noqa: BLE001 - a bug in one answer must not end the others
            self._end(answer)
            tell(answer.deliver, error)

    def _end(self, answer: _Writing[S]) -> None:
        self._answers.remove(answer)
        try:
            answer.steps.close()
        finally:
            answer.ended()


def tell(deliver: Deliver, news: Delivered) -> bool:
    """Deliver `news`. False where that failed, which is logged: who asks must not stop who answers."""
    try:
        deliver(news)
    except Exception:
        logging.getLogger(__name__).exception("an answer could not be delivered")
        return False
    return True
