"""Runner: one source in a thread of its own, which loads it and answers one request after the other; a service, which
has its own way with many at once, each as it comes.

What happens is posted as frozen words to a function that may be called from any thread; nothing here knows Qt, or
holds on to what does. A runner that hangs in an engine is left behind: whoever made it goes on, and its words are not
listened to any more.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic

from desktop.devices import Device
from desktop.engine.safe_start import SafeStart
from desktop.engine.sources import EmbeddedModel, LocalModel, RemoteModel, Source
from desktop.engine.turns import joined, latest
from runtime import (
    ContextFullError,
    EngineError,
    EngineInfo,
    Event,
    GenerationOptions,
    Message,
    ProcessEngine,
    RemoteEngine,
    Trimmed,
    UserFacingError,
    embedded_bundle,
    embedded_folder,
)

_log = logging.getLogger(__name__)
_POLL_SECONDS = 0.05  # between two looks at whether to leave, while a model loads
_IDLE_SECONDS = 2.0  # between two looks at whether an idle engine still lives
_MEMORY_SECONDS = 3.0  # for the runner before to give its memory back


@dataclass(frozen=True, eq=False)
class Request:
    """One answer that is asked for. `continues`: the last message is the answer's own beginning. `cancelled`, set from
    any thread, ends it where it is; an answer that has not begun is then left out."""

    number: int  # the caller's, which may come again
    messages: tuple[Message, ...]
    options: GenerationOptions
    continues: bool = False
    cancelled: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Preparing:
    """The embedded model's bundle is being made. Told again and again, from the exporter's first word on with its stage
    and the share of it that is done, 0 to 1."""

    stage: str = ""
    fraction: float = 0.0


@dataclass(frozen=True)
class Loaded:
    """The model answers from now on."""

    info: EngineInfo


@dataclass(frozen=True)
class Failed:
    """The engine is gone, while it loaded, answered or rested; the runner ends."""

    error: UserFacingError


@dataclass(frozen=True)
class Begun:
    """A request's turn has come."""

    request: Request


@dataclass(frozen=True)
class Said:
    """An event of a request's answer."""

    request: Request
    event: Event


@dataclass(frozen=True)
class Broke:
    """A request's answer ended in an error."""

    request: Request
    error: UserFacingError


Word = Preparing | Loaded | Failed | Begun | Said | Broke
Engine = ProcessEngine | RemoteEngine


class Runner:
    """See the module. Models of this machine are computed on `device`. `before` is closed first, so that two models
    never share the machine's memory."""

    def __init__(
        self,
        source: Source,
        post: Callable[[tuple[Runner, Word]], None],
        *,
        device: Device,
        before: Runner | None = None,
        safe_start: SafeStart | None = None,
    ) -> None:
        self.source = source
        self._device = device
        self._post = post
        self._before = before
        self._safe_start = safe_start if not isinstance(source, RemoteModel) else None
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._leaving = threading.Event()
        self._closing = threading.Lock()
        self._engine: Engine | None = None
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._closer: threading.Thread | None = None
        self._thread.start()

    def ask(self, request: Request) -> None:
        """Answer `request` after those before it."""
        self._requests.put(request)

    def count(self, messages: Sequence[Message]) -> int | None:
        """Tokens of a conversation's prompt; None where that is not known, or the messages make no conversation.

        Waits until the model is loaded, and as long as an engine that hangs takes: not for the window's thread.
        """
        try:
            while not self._leaving.is_set():
                engine = self._engine
                if isinstance(engine, ProcessEngine) and not engine.ready(_POLL_SECONDS):
                    continue
                if engine is not None:
                    count = engine.count_tokens(joined(messages))
                    most = engine.info.context_length
                    fits = count is None or most is None or count < most
                    return count if fits else engine.count_tokens(latest(messages))
                if self._thread.is_alive():
                    self._leaving.wait(_POLL_SECONDS)
                else:
                    break
        except UserFacingError:
            pass  # its reason is told by who loads or asks
        return None

    def leave(self) -> None:
        """Stop everything and close the engine, in the background. Waits for nothing."""
        if self._leaving.is_set():
            return
        self._leaving.set()
        self._requests.put(None)
        self._closer = threading.Thread(target=self._close, name="engine closer", daemon=True)
        self._closer.start()

    def join(self, seconds: float) -> bool:
        """Whether it has left, after at most so many seconds."""
        finish = monotonic() + seconds
        for thread in (self._closer, self._thread):
            if thread is not None:
                thread.join(max(finish - monotonic(), 0))
        return not self._thread.is_alive() and (self._closer is None or not self._closer.is_alive())

    def _say(self, word: Word) -> None:
        if not self._leaving.is_set():
            self._post((self, word))

    def _run(self) -> None:
        if self._before is not None:
            self._before.leave()
            self._before.join(_MEMORY_SECONDS)
            self._before = None
        with contextlib.ExitStack() as stack:
            stack.callback(self._close)
            try:
                if self._load():
                    self._serve()
            except UserFacingError as error:
                self._say(Failed(error))
            except Exception as error:  # noqa: BLE001  (a bug: the window shows one line of it, the log the rest)
                _log.exception("the engine of %s broke down", self.source.key)
                self._say(Failed(_fault(error)))

    def _load(self) -> bool:
        """Open the engine and wait until it answers; False where it was told to leave."""
        if self._leaving.is_set():
            return False
        if isinstance(self.source, RemoteModel):
            remote = RemoteEngine.open(self.source.url, model=self.source.model, api_key=self.source.api_key)
            if not self._keep(remote):
                return False
            self._say(Loaded(remote.info))
            return True
        folder = self._folder(self.source)
        with self._marked():
            engine = ProcessEngine.open(
                folder,
                backend=self._device.backend,
                compute_units=self._device.compute_units,
                template=self.source.chat_format if isinstance(self.source, LocalModel) else None,
                wait=False,
            )
            if not self._keep(engine):
                return False
            while not engine.ready(_POLL_SECONDS):
                if self._leaving.is_set():
                    return False
        self._say(Loaded(engine.info))
        return True

    def _folder(self, source: LocalModel | EmbeddedModel) -> str:
        if isinstance(source, LocalModel):
            return str(source.path)
        if not embedded_folder().exists():
            self._say(Preparing())  # the exporter's own first word may take half a minute
        return str(embedded_bundle(notice=lambda *stage: self._say(Preparing(*stage)), cancelled=self._leaving.is_set))

    @contextlib.contextmanager
    def _marked(self) -> Iterator[None]:
        """The mark of a loading that may crash, which stays where it did."""
        if self._safe_start is None:
            yield
            return
        self._safe_start.begin(self.source.key)
        try:
            yield
        except EngineError:  # the process died, hung or ran out of memory
            if self._leaving.is_set():
                self._safe_start.end()
            raise
        except BaseException:
            self._safe_start.end()
            raise
        self._safe_start.end()

    def _keep(self, engine: Engine) -> bool:
        """Make `engine` known to who closes it; False where it is not wanted any more."""
        self._engine = engine
        return not self._leaving.is_set()

    def _serve(self) -> None:
        while not self._leaving.is_set():
            try:
                request = self._requests.get(timeout=_IDLE_SECONDS)
            except queue.Empty:
                self._check_alive()
                continue
            if request is not None and isinstance(self._engine, RemoteEngine):
                threading.Thread(target=self._answer, args=(request,), name="answer", daemon=True).start()
            elif request is not None:
                self._answer(request)

    def _check_alive(self) -> None:
        """Raises EngineError where the model's process has died."""
        if isinstance(self._engine, ProcessEngine):
            self._engine.ready()

    def _answer(self, request: Request) -> None:
        if request.cancelled.is_set():
            return
        self._say(Begun(request))
        try:
            for event in self._events(request):
                self._say(Said(request, event))
        except UserFacingError as error:
            self._say(Broke(request, error))
        except Exception as error:  # noqa: BLE001  (a bug, which ends this answer only)
            _log.exception("an answer of %s broke off", self.source.key)
            self._say(Broke(request, _fault(error)))
        self._check_alive()

    def _events(self, request: Request) -> Iterator[Event]:
        assert self._engine is not None
        if isinstance(self._engine, RemoteEngine):
            with self._engine.beside() as engine:
                # A service has its own way with what is too long, whatever the chat's is.
                yield from self._told_by(
                    engine, replace(request, options=replace(request.options, context_policy="stop"))
                )
        else:
            yield from self._told_by(self._engine, request)

    def _told_by(self, engine: Engine, request: Request) -> Iterator[Event]:
        def cancelled() -> bool:
            return request.cancelled.is_set() or self._leaving.is_set()

        options = request.options
        ask = engine.continue_answer if request.continues else engine.chat
        whole, short = joined(request.messages), latest(request.messages)
        if whole != short:
            try:
                begun = False
                for event in ask(whole, options, cancelled=cancelled):
                    if not begun and isinstance(event, Trimmed):
                        break  # the first event: what was not answered takes the place of what was
                    begun = True
                    yield event
                else:
                    return
            except ContextFullError:
                if begun:
                    raise
        yield from ask(short, options, cancelled=cancelled)

    def _close(self) -> None:
        with self._closing:  # one thread after the other: the second finds it closed
            if self._engine is not None:
                self._engine.close()


def _fault(error: Exception) -> EngineError:
    return EngineError(
        f"The program has a fault ({type(error).__name__}: {error}); restart the engine, and report it if it returns."
    )
