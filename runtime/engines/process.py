"""ProcessEngine: a bundle, run in a process of its own that may die without taking this one along."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

from runtime.arguments import check_kind, kind_of
from runtime.chat import Message
from runtime.engines.answer import POLL_SECONDS, Answer
from runtime.engines.base import CLOSED, BundleEngine, EngineInfo, checked_opening
from runtime.engines.child import Call, Child, Limits, Reply
from runtime.engines.wire import pack
from runtime.errors import EngineError, OptionError, ProcessEndedError, ProcessKilledError
from runtime.events import Event
from runtime.options import GenerationOptions
from runtime.session import never

__all__ = ["Limits", "ProcessEngine"]


class ProcessEngine(BundleEngine):
    """What LocalEngine is, in a child process. One answer at a time: asking again ends the one before.

    A child that dies ends its answer with an EngineError; the next call starts another one. A child that does not stop
    when it should is killed. Calls may come from several threads; `close` may come at any time.
    """

    def __init__(self, arguments: dict[str, str | None], limits: Limits) -> None:
        """Start loading; see `open`."""
        super().__init__()
        check_kind("arguments", arguments, dict, "a dict")
        check_kind("limits", limits, Limits, "a Limits")
        self._arguments = arguments
        self._limits = limits
        self._lock = threading.RLock()
        self._deaths: list[float] = []  # times of those that nobody asked for
        self._info: EngineInfo | None = None
        self._child = Child(arguments, limits)
        self._counted: Child | None = None  # the last child whose end was looked at

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        backend: str | None = None,
        compute_units: str | None = None,
        template: str | None = None,
        wait: bool = True,
        limits: Limits | None = None,
    ) -> ProcessEngine:
        """Load the bundle in `folder` in a new process. Arguments and errors are LocalEngine.open's, and EngineError.

        Without `wait` this returns at once: `ready` says how it goes, and whatever is asked meanwhile waits its turn.
        """
        path = checked_opening(folder, backend=backend, compute_units=compute_units, template=template)
        check_kind("limits", limits, Limits | None, "a Limits or None")
        arguments = {
            "folder": str(path.absolute()),
            "backend": backend,
            "compute_units": compute_units,
            "template": template,
        }
        engine = cls(arguments, limits or Limits())
        if wait:
            try:
                engine.ready(None)
            except BaseException:
                engine.close()
                raise
        return engine

    def ready(self, seconds: float | None = 0) -> bool:
        """Whether the model is loaded, after at most so many seconds; None waits as long as it takes.

        Raises what loading raised, and EngineError where the process died. It starts no other one.
        """
        if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, int | float)):
            raise OptionError(f"seconds must be a number or None, not {kind_of(seconds)}.")
        finish = None if seconds is None else monotonic() + seconds
        while True:
            child = self._child
            if self._closed.is_set():
                raise EngineError(CLOSED)
            if child.gone.is_set():
                raise self._why_it_ended(child)
            if child.info is not None:
                self._info = child.info
                return True
            child.check()
            left = POLL_SECONDS if finish is None else min(finish - monotonic(), POLL_SECONDS)
            if left <= 0:
                return False
            child.gone.wait(left)

    @property
    def info(self) -> EngineInfo:
        """What answers. Waits until it is loaded, the first time; raises as `ready`."""
        if self._info is None:
            self.ready(None)
        assert self._info is not None
        return self._info

    def _chat(
        self,
        messages: tuple[Message, ...],
        options: GenerationOptions,
        cancelled: Callable[[], bool],
        *,
        goes_on: bool,
    ) -> Answer:
        """Waits, asking `cancelled`, until the model is loaded."""
        return self._accepted("continue_answer" if goes_on else "chat", messages, options, cancelled)

    def _complete(self, prompt: str, options: GenerationOptions, cancelled: Callable[[], bool]) -> Answer:
        """Waits as `_chat`."""
        return self._accepted("complete", prompt, options, cancelled)

    def _count_tokens(self, messages: tuple[Message, ...]) -> int:
        """Also while an answer is written."""
        return self._ask("count_tokens", messages)

    def _save_session(self, file: Path) -> int:
        return self._ask("save_session", str(file.absolute()))

    def _restore_session(self, file: Path) -> int:
        return self._ask("restore_session", str(file.absolute()))

    def _close(self) -> None:
        """End the process: within two seconds, whatever it does."""
        self._child.close()

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):  # the process could not be started
            self._child.leave()

    def _ask(self, name: str, argument: object) -> int:
        """The value of LocalEngine's method `name`, from the child."""
        _, _, reply = self._call(name, pack([argument]), never)
        assert reply is not None
        assert isinstance(reply.value, int)
        return reply.value

    def _accepted(self, name: str, prompt: object, options: GenerationOptions, cancelled: Callable[[], bool]) -> Answer:
        """The answer to a prompt that the child has accepted."""
        child, call, reply = self._call(name, pack([prompt, options]), cancelled)
        return _ProcessAnswer(self, child, call, cancelled, told=reply is not None)

    def _call(self, name: str, arguments: list[Any], cancelled: Callable[[], bool]) -> tuple[Child, Call, Reply | None]:
        """Ask the child and wait for its first word; None where `cancelled` said so before it came.

        A child that dies before it began, and was well until then, is replaced and asked again.
        """
        while True:
            child = self._living()
            was_well = child.info is not None
            call = child.call(name, arguments)
            reply = self._first_reply(child, call, cancelled)
            if reply is None or reply.say not in ("error", "bug", "gone"):
                return child, call, reply
            if reply.say != "gone":
                raise reply.value  # an exception, whole
            if self._closed.is_set():
                raise EngineError(CLOSED)
            if not was_well:
                raise self._why_it_ended(child)

    def _first_reply(self, child: Child, call: Call, cancelled: Callable[[], bool]) -> Reply | None:
        try:
            while not cancelled():
                reply = call.reply(POLL_SECONDS)
                if reply is not None:
                    return reply
                child.check()
        except BaseException:  # Ctrl-C, or an error of `cancelled`
            child.cancel(call)
            raise
        child.cancel(call)
        return None

    def _living(self) -> Child:
        """The child, or a new one where it has died. Raises EngineError where too many died, or after `close`."""
        if self._closed.is_set():
            raise EngineError(CLOSED)
        with self._lock:
            if self._child.gone.is_set():
                self._note_end(self._child)
                self._check_crashes(self._child)
                self._child = Child(self._arguments, self._limits)
            child = self._child
        if self._closed.is_set():  # meanwhile, by a thread that saw the old child
            child.close()
        return child

    def _note_end(self, child: Child) -> None:
        """Count a death once, unless the child said why it left or was told to go for not stopping."""
        with self._lock:
            if self._counted is not child and child.failure is None and not child.stubborn:
                self._deaths.append(monotonic())
            self._counted = child

    def _check_crashes(self, child: Child) -> None:
        limits, now = self._limits, monotonic()
        self._deaths = [time for time in self._deaths if now - time < limits.crash_seconds]
        if len(self._deaths) >= limits.crashes:
            wait = limits.crash_seconds - (now - self._deaths[0])
            folder = self._arguments["folder"]
            raise ProcessEndedError(
                f"The model's process ended {len(self._deaths)} times within {limits.crash_seconds:,.0f} s; the last "
                f"time it {child.describe_end()}; find out more with `python -m runtime doctor {folder}`, or wait "
                f"{wait:,.0f} s and ask again."
            )

    def _why_it_ended(self, child: Child) -> Exception:
        """What to raise for a child that is gone; its death is counted."""
        self._note_end(child)
        if child.failure is not None:
            return child.failure
        kind = ProcessKilledError if child.was_killed else ProcessEndedError
        return kind(f"The model's process {child.describe_end()}; ask again: it starts anew.")

    def _replace(self, child: Child) -> None:
        """Start another one for `child`, which was killed for not stopping: it loads while someone reads."""
        with contextlib.suppress(EngineError), self._lock:
            if self._child is child:
                self._living()


class _ProcessAnswer(Answer):
    """The replies to one call."""

    def __init__(
        self, engine: ProcessEngine, child: Child, call: Call, cancelled: Callable[[], bool], *, told: bool
    ) -> None:
        super().__init__(cancelled)
        self._engine = engine
        self._child = child
        self._call = call
        self._told = told  # if not, it was cancelled before the child began, and nothing is waited for
        self.cancelling = not told

    def _stop(self) -> None:
        self._child.cancel(self._call)

    def _take(self) -> Event | None:
        if not self._told:
            return self.received.finished("cancelled")
        reply = self._call.reply(POLL_SECONDS)
        if reply is None:
            self._child.check()
            return None
        match reply.say:
            case "event":
                event: Event = reply.value
                return event
            case "error" | "bug":
                raise reply.value
            case "gone" if self.cancelling:
                self._engine._replace(self._child)
                return self.received.finished("cancelled")
            case "gone":
                raise self._engine._why_it_ended(self._child)
        return None
