"""EngineHost: the engine as the window sees it. Its methods return at once; its signals come in the window's thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import monotonic

from PySide6.QtCore import QObject, QTimer, Signal

from desktop.devices import Device
from desktop.engine.answers import Answer
from desktop.engine.counter import Counted, Counter, Reply
from desktop.engine.events import AnswerEnd, EngineStatus, StatusKind
from desktop.engine.runner import Begun, Broke, Failed, Loaded, Preparing, Request, Runner, Said, Word
from desktop.engine.safe_start import SafeStart
from desktop.engine.sources import EMBEDDED, RemoteModel, Source
from desktop.mailbox import Mailbox
from desktop.told import told
from runtime import BackendUnavailableError, CoreMLError, DeviceMemoryError, GenerationOptions, Message

TICK_MILLISECONDS = 33
_CLOSE_SECONDS = 1.9
_LEAVE_SECONDS = 5.0  # an engine is closed within two


class EngineHost(QObject):
    """Loads one source at a time. A model of this machine answers one request after the other; a service all at once.

    What happens in the engine's threads is queued, and a timer hands it on in the window's thread, however fast tokens
    come: it runs only while something is due. A crash of the model's process fails the answer that is being written and
    all that wait, and nothing is tried again before the user asks again or restarts.
    """

    statusChanged = Signal(object)  # EngineStatus
    progressed = Signal(object)  # AnswerProgress, at most one a request and tick
    answered = Signal(object)  # AnswerEnd, once a request

    def __init__(self, parent: QObject | None = None, *, safe_start: SafeStart | None = None) -> None:
        """`safe_start` is told what is being loaded; others decide what is loaded when the program starts."""
        super().__init__(parent)
        self._safe_start = safe_start
        self._device = Device()
        self._best: dict[str, str] = {}  # backend that a source was given where the choice was left open, by its key
        self._status = EngineStatus(kind="none")
        self._runner: Runner | None = None
        self._left: Runner | None = None  # the one before, which may still be closing its engine
        self._load_begun = 0.0
        self._answers: dict[int, Answer] = {}  # in the order in which they were asked for
        self._closed = False
        self._inbox: Mailbox[tuple[Runner, Word] | Counted | AnswerEnd] = Mailbox(self, self._start_timer)
        self._counter = Counter(self._inbox.post)
        self._timer = QTimer(self, interval=TICK_MILLISECONDS)
        self._timer.timeout.connect(self._tick)

    @property
    def status(self) -> EngineStatus:
        """How the engine is now."""
        return self._status

    def set_device(self, device: Device) -> None:
        """Compute models of this machine there from now on; one that is elsewhere is loaded anew."""
        if device == self._device:
            return
        is_there = self._is_on(device)
        self._device = device
        source, kind = self._status.source, self._status.kind
        if is_there:
            return
        if source is not None and not isinstance(source, RemoteModel) and kind != "unloaded":
            self.load(source)

    def load(self, source: Source) -> None:
        """Load `source` in place of what is loaded. An answer in progress is interrupted; those that wait are written
        by the new model."""
        if self._closed:
            return
        self._drain()
        waiting = self._interrupt(begun_only=True)
        self._leave_runner()
        self._load_begun = monotonic()
        self._runner = Runner(
            source, self._inbox.post, device=self._device, before=self._left, safe_start=self._safe_start
        )
        for answer in waiting:
            self._runner.ask(answer.request)
        self._set_status(EngineStatus(kind="loading", source=source, sentence=self._loading_sentence(source)))
        self._inbox.ring()  # for the seconds that loading takes

    def unload(self) -> None:
        """Give the model's memory back. All answers are interrupted; the next question loads the model again."""
        if self._runner is None:
            return
        self._drain()
        self._leave_runner()
        self._interrupt()
        self._set_status(EngineStatus(kind="unloaded", source=self._status.source))

    def wait_until_left(self) -> None:
        """Wait, some seconds at most, until what was unloaded or replaced is closed. Not in the window's thread."""
        if (left := self._left) is not None:
            left.join(_LEAVE_SECONDS)

    def restart(self) -> None:
        """Load the source anew, whatever the engine does."""
        if self._status.source is not None:
            self.load(self._status.source)

    def ask(self, request: int, messages: Sequence[Message], options: GenerationOptions) -> None:
        """Answer a conversation under a number of the caller's, which no answer that is due has.

        It waits while a model loads or another answer is written. After a failure, or where the model was unloaded, it
        is loaded first.
        """
        self._begin(Answer(Request(request, tuple(messages), options)))

    def continue_(self, request: int, messages: Sequence[Message], options: GenerationOptions) -> None:
        """Go on with the answer that is the last of `messages`, without white space at its end. The texts that are
        told are whole: they begin with what was there."""
        *before, last = messages
        text = last.content.rstrip()
        if not text:
            self.ask(request, before, options)
            return
        going_on = (*before, replace(last, content=text))
        self._begin(Answer(Request(request, going_on, options, continues=True), opening=text))

    def cancel(self, request: int) -> None:
        """End an answer where it is; what was written is kept. Harmless for one that has ended."""
        self._drain()
        answer = self._answers.get(request)
        if answer is None:
            return
        answer.request.cancelled.set()
        if not answer.begun:
            self._end(answer.interrupted())

    def count(self, messages: Sequence[Message], reply: Reply) -> None:
        """Tokens of a conversation's prompt, also while an answer is written: `reply` is called in the window's thread
        unless another question comes before. It gets None where nothing can tell: a service, no conversation."""
        if self._runner is None:
            self._inbox.post(Counted(reply, None))
        else:
            self._counter.ask(self._runner, tuple(messages), reply)

    def close(self) -> None:
        """End everything, within two seconds whatever the engine does. Answers in progress are told as interrupted.
        Harmless when repeated."""
        if self._closed:
            return
        self._drain()
        self._closed = True
        self._counter.close()
        self._leave_runner()
        self._interrupt()
        self._timer.stop()
        self._inbox.close()
        for item in self._inbox.take():
            self._take(item)
        if self._left is not None:
            self._left.join(_CLOSE_SECONDS)

    def _is_on(self, device: Device) -> bool:
        """Whether the model is known to be computed there already. An engine does not tell its compute units."""
        source, info = self._status.source, self._status.info
        if source is None or info is None or device.compute_units or self._device.compute_units:
            return False
        return info.backend == (device.backend or self._best.get(source.key))

    def _begin(self, answer: Answer) -> None:
        if self._closed:
            return
        self._answers[answer.request.number] = answer
        if self._runner is None:
            if self._status.source is None:
                self._inbox.post(answer.failed(self.tr("No model is loaded; choose one first.")))
            else:
                self.load(self._status.source)
        else:
            self._runner.ask(answer.request)
            if self._status.kind == "ready":
                self._set_status(replace(self._status, kind="answering"))

    def _start_timer(self) -> None:
        if not self._closed:
            self._timer.start()

    def _tick(self) -> None:
        self._drain()
        if self._status.kind == "loading":
            seconds = int(monotonic() - self._load_begun)
            if seconds != self._status.seconds:
                self._set_status(replace(self._status, seconds=seconds))
        elif self._inbox.rest():
            self._timer.stop()

    def _drain(self) -> None:
        """Take what was posted until now, then tell each answer's progress once."""
        for item in self._inbox.take():
            self._take(item)
        for answer in list(self._answers.values()):
            if answer.changed:
                self.progressed.emit(answer.progress())

    def _take(self, item: tuple[Runner, Word] | Counted | AnswerEnd) -> None:
        if isinstance(item, Counted):
            item.reply(item.tokens)
        elif isinstance(item, AnswerEnd):
            self._end(item)
        elif item[0] is self._runner:
            self._take_word(item[1])

    def _take_word(self, word: Word) -> None:
        match word:
            case Preparing():
                sentence = self.tr(
                    "Preparing {name} for this computer: this is needed only once, and can take two minutes."
                ).format(name=EMBEDDED.name)
                self._set_status(replace(self._status, sentence=sentence, preparing=True))
            case Loaded(info):
                seconds = int(monotonic() - self._load_begun)
                kind: StatusKind = "answering" if self._answers else "ready"
                source = self._status.source
                if source is not None and self._device == Device():
                    self._best[source.key] = info.backend
                self._set_status(EngineStatus(kind=kind, source=source, seconds=seconds, info=info))
            case Failed(error):
                self._leave_runner()
                sentence = told(error)
                chosen = isinstance(error, BackendUnavailableError) and self._device != Device()
                if chosen or isinstance(error, CoreMLError | DeviceMemoryError):
                    sentence += "\n" + self.tr("Settings, Compute on, says where models are computed.")
                elsewhere = chosen or isinstance(error, CoreMLError)  # room on a card comes back by itself
                source = self._status.source
                self._set_status(EngineStatus(kind="failed", source=source, sentence=sentence, elsewhere=elsewhere))
                for answer in list(self._answers.values()):
                    self._end(answer.failed(sentence))
            case Begun(request):
                if (due := self._answer(request)) is not None:
                    due.begun = True
            case Said(request, event):
                if (due := self._answer(request)) is not None:
                    end = due.take(event, self._status.info, self._status.writer)
                    if end is not None:
                        self._end(end)
            case Broke(request, error):
                if (due := self._answer(request)) is not None:
                    self._end(due.failed(told(error)))

    def _answer(self, request: Request) -> Answer | None:
        """The answer to a request; None where it was ended already."""
        answer = self._answers.get(request.number)
        return answer if answer is not None and answer.request is request else None

    def _end(self, end: AnswerEnd) -> None:
        """Tell an answer's end, after the last of its progress."""
        if self._answers.pop(end.request, None) is None:
            return
        if not self._answers and self._status.kind == "answering":
            self._set_status(replace(self._status, kind="ready"))
        self.answered.emit(end)

    def _interrupt(self, *, begun_only: bool = False) -> list[Answer]:
        """End the answers that are written, or all; those that are left."""
        for answer in list(self._answers.values()):
            if answer.begun or not begun_only:
                self._end(answer.interrupted())
        return list(self._answers.values())

    def _leave_runner(self) -> None:
        if self._runner is not None:
            self._runner.leave()
            self._left, self._runner = self._runner, None

    def _set_status(self, status: EngineStatus) -> None:
        if status != self._status:
            self._status = status
            self.statusChanged.emit(status)

    def _loading_sentence(self, source: Source) -> str:
        if isinstance(source, RemoteModel):
            return self.tr("Asking {name}…").format(name=source.name)
        return self.tr("Loading {name}…").format(name=source.name)
