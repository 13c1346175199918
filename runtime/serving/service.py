"""Service: answers to requests, from body to reply, until they are over or the client has gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from runtime.engines.batch import BatchEngine
from runtime.errors import UserFacingError
from runtime.events import Event, Finished, TextDelta
from runtime.generation import DEFAULT_OPTIONS
from runtime.serving.answers import Answers
from runtime.serving.bodies import read_body
from runtime.serving.errors import RefusalError, bug, refusal_of, stopping
from runtime.serving.gate import Gate
from runtime.serving.mailbox import Mailbox
from runtime.serving.model import ServedModel
from runtime.serving.record import Record
from runtime.serving.replies import Reply
from runtime.serving.requests import Ask
from runtime.serving.responses import EventStream, json_response, refused

LOG = logging.getLogger("falconet.server")
_SILENCE_SECONDS = 10.0  # of a stream, after which, or after twice that, it says that it is still there
_LARGE = 1 << 16  # bytes of a body that is read in another thread


class Service:
    """One engine's answers to many requests."""

    def __init__(self, engine: BatchEngine, model: ServedModel, gate: Gate) -> None:
        self.engine = engine
        self.model = model
        self.gate = gate
        self._running: set[Answers] = set()
        self._reading: set[asyncio.Task[bytes | None]] = set()  # bodies that are on their way
        self._stopping = False
        self._mailbox: Mailbox | None = None  # made in the event loop

    def stop(self) -> None:
        """End every answer, wait for no body, and begin no more. Called in the event loop; harmless when repeated."""
        self._stopping = True
        for reading in tuple(self._reading):
            reading.cancel()
        for answers in tuple(self._running):
            answers.cancel()

    def check(self) -> None:
        """Raise RefusalError where nothing can be answered any more."""
        if self._stopping:
            raise stopping()
        try:
            self.engine.check_options(DEFAULT_OPTIONS)
        except UserFacingError as error:
            raise refusal_of(error) from None

    async def read(self, request: Request) -> bytes | None:
        """The body of `request`, as `read_body`. Raises RefusalError, too, where the server ends before it is there."""
        reading = asyncio.ensure_future(read_body(request))
        self._reading.add(reading)
        try:
            return await reading
        except asyncio.CancelledError:
            if self._stopping:
                raise stopping() from None
            raise
        finally:
            self._reading.discard(reading)

    async def answer(self, ask: Ask, record: Record, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises RefusalError and UserFacingError as long as nothing was sent."""
        self.check()
        if ask.model and ask.model != self.model.name:
            raise unknown_model(ask.model, self.model.name)
        self._mailbox = self._mailbox or Mailbox(asyncio.get_running_loop())
        answers = Answers(self.engine, self.gate, self._mailbox, ask)
        self._running.add(answers)
        try:
            await answers.begin()
            reply = Reply(ask, self.model)
            if ask.stream:
                await self._stream(answers, reply, record, EventStream(send))
                return
            async for arrived in answers.events():
                assert arrived is not None
                record.note(*arrived)
                if isinstance(arrived[1], Finished):
                    reply.end(*arrived)  # type: ignore[arg-type]
            await json_response(reply.whole())(scope, receive, send)
        finally:
            self._running.discard(answers)
            answers.cancel()

    async def _stream(self, answers: Answers, reply: Reply, record: Record, stream: EventStream) -> None:
        """Chunks as they come. What goes wrong from here on is told in the stream: its status has been sent."""
        await stream.begin()
        for chunk in reply.first_chunks():
            stream.event(chunk)
        await stream.flush()
        try:
            async for arrived in answers.events(_SILENCE_SECONDS):
                if arrived is None:
                    stream.still_here()
                else:
                    record.note(*arrived)
                    _write(stream, reply, *arrived)
                if not answers.more:  # what came together goes together
                    await stream.flush()
            usage = reply.usage_chunk()
            if usage is not None:
                stream.event(usage)
        except Exception as error:  # noqa: BLE001  (an engine may deliver any, and the client waits for a word)
            refusal = told(error)
            record.refused(refusal)
            stream.event(refusal.body())
        await stream.end()


def _write(stream: EventStream, reply: Reply, index: int, event: Event) -> None:
    if isinstance(event, TextDelta):
        stream.event(reply.chunk(index, event))
    elif isinstance(event, Finished):
        stream.event(reply.last_chunk(index, event))


class Endpoint:
    """A route that is asked with a body, as ASGI: `read` makes an Ask of it."""

    def __init__(self, service: Service, read: Callable[..., Ask]) -> None:
        self._service = service
        self._read = read

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        record = Record.of(scope)
        try:
            body = await self._service.read(Request(scope, receive))
            if body is None:
                record.left = True
                return
            ask = await self._asked(body)
            record.left = not await _unless_gone(receive, self._service.answer(ask, record, scope, receive, send))
        except Exception as error:  # noqa: BLE001  (one request's bug must not end the others)
            await refused(told(error), scope)(scope, receive, send)

    async def _asked(self, body: bytes) -> Ask:
        most = self._service.gate.at_once
        if len(body) < _LARGE:
            return self._read(body, most=most)
        return await asyncio.to_thread(self._read, body, most=most)


def told(error: Exception) -> RefusalError:
    """What a client hears of `error`; a bug goes to the log with its traceback."""
    if isinstance(error, RefusalError):
        return error
    if isinstance(error, UserFacingError):
        return refusal_of(error)
    LOG.error("a request ended in a bug", exc_info=error)
    return bug()


def unknown_model(name: str, served: str) -> RefusalError:
    """The refusal of a model that is not served."""
    return RefusalError(
        f"There is no model {name[:80]!r} here; this server has {served}.",
        status=404,
        param="model",
        code="model_not_found",
    )


async def _unless_gone(receive: Receive, work: Coroutine[Any, Any, None]) -> bool:
    """Do `work`; False where the client left before its end, which ends it. Raises what it does."""
    doing = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait((doing, leaving), return_when=asyncio.FIRST_COMPLETED)
        left = not doing.done()
    finally:
        leaving.cancel()
        doing.cancel()
        await asyncio.gather(doing, leaving, return_exceptions=True)
    if left:
        return False  # whatever it met while it was ended
    doing.result()
    return True


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
