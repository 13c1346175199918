"""Answers: those of one request, on their way from the engine's thread to the event loop's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

from runtime.batch import Deliver, Delivered
from runtime.engines.batch import BatchEngine
from runtime.engines.queue import Ticket
from runtime.events import Event, Finished
from runtime.options import GenerationOptions
from runtime.serving.errors import stopping
from runtime.serving.gate import Gate
from runtime.serving.mailbox import Mailbox
from runtime.serving.requests import Ask, Prompt


class Answers:
    """One request's answers. Made in the event loop; `cancel` may be called at any time and must be at the end, `begin`
    once."""

    def __init__(self, engine: BatchEngine, gate: Gate, mailbox: Mailbox, ask: Ask) -> None:
        """Raises RefusalError where no more answers are let in."""
        self._engine = engine
        self._gate = gate
        self._mailbox = mailbox
        self._ask = ask
        self._loop = asyncio.get_running_loop()
        self._arrivals: asyncio.Queue[tuple[int, Delivered] | None] = asyncio.Queue()  # None: nothing came
        self._silent = False  # since `_look_after` looked
        self._timer: asyncio.TimerHandle | None = None
        self._lock = threading.Lock()
        self._tickets: list[Ticket] = []
        self._cancelled = False
        gate.enter(len(ask.choices))

    async def begin(self) -> None:
        """Hand the prompts to the engine. Raises UserFacingError for what it refuses: nothing is written, then."""
        work = self._loop.run_in_executor(None, self._begin)  # a long prompt's tokens take a while to find
        work.add_done_callback(lambda done: done.exception())  # who waited may have left
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            self.cancel()  # which the thread sees, now or when it gets its turn
            raise

    def cancel(self) -> None:
        """End what is written still, and the watch over it. Harmless when repeated."""
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            self._cancelled = True
            tickets, self._tickets = self._tickets, []
        for ticket in tickets:
            ticket.cancel()

    @property
    def more(self) -> bool:
        """Whether the next event is there already."""
        return not self._arrivals.empty()

    async def events(self, every: float | None = None) -> AsyncIterator[tuple[int, Event] | None]:
        """Each event with the number of its choice, until all have finished; None after `every` seconds without one,
        or up to twice that.

        Raises what ended an answer, and RefusalError where the server ends them all.
        """
        left = len(self._ask.choices)
        if every is not None:
            self._look_after(every)
        while left:
            arrived = await self._arrivals.get()
            if arrived is None:
                yield None
                continue
            self._silent = False
            index, item = arrived
            if isinstance(item, Exception):
                raise item
            if isinstance(item, Finished):
                if item.reason == "cancelled":
                    raise stopping()
                left -= 1
            yield index, item

    def _look_after(self, every: float) -> None:
        """Every so often, see whether something came: cheaper than a timer for each token."""

        def look() -> None:
            if self._silent:
                self._arrivals.put_nowait(None)
            self._look_after(every)

        self._silent = True
        self._timer = self._loop.call_later(every, look)

    def _begin(self) -> None:
        """In a thread of its own, while `cancel` may come from another."""
        choices = self._ask.choices
        begun = 0
        try:
            for index, (prompt, options) in enumerate(choices):
                ticket = self._one(prompt, options, self._deliverer(index))
                begun += 1
                self._hold(ticket)
        except BaseException:
            self._gate.leave(len(choices) - begun)  # the others leave when they have ended
            self.cancel()
            raise

    def _one(self, prompt: Prompt, options: GenerationOptions, deliver: Deliver) -> Ticket:
        if self._cancelled:
            raise stopping()
        if isinstance(prompt, str):
            return self._engine.begin_completion(prompt, options, deliver)
        return self._engine.begin_chat(prompt, options, deliver, goes_on=self._ask.goes_on)

    def _hold(self, ticket: Ticket) -> None:
        with self._lock:
            if not self._cancelled:
                self._tickets.append(ticket)
                return
        ticket.cancel()

    def _deliverer(self, index: int) -> Deliver:
        def deliver(item: Delivered) -> None:
            if isinstance(item, Finished | Exception):
                self._gate.leave()
            self._mailbox.put(lambda: self._arrivals.put_nowait((index, item)))

        return deliver
