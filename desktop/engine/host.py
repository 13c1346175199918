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
from desktop.engine.seat import Seat
from desktop.engine.sources import EMBEDDED, RemoteModel, Source
from desktop.mailbox import Mailbox
from desktop.stages import overall
from desktop.told import told
from runtime import BackendUnavailableError, CoreMLError, DeviceMemoryError, GenerationOptions, Message

TICK_MILLISECONDS = 33
_CLOSE_SECONDS = 1.9
_LEAVE_SECONDS = 5.0  # an engine is closed within two


class EngineHost(QObject):
    """Loads one model of this machine at a time, which answers one request after the other, and beside it any number of
    services, each of which answers all at once. One of them is shown: its status is the engine's, and it is asked.

    What happens in the engine's threads is queued, and a timer hands it on in the window's thread, however fast tokens
    come: it runs only while something is due. A crash of the model's process fails the answer that is being written and
    all that wait, and nothing is tried again before the user asks again or restarts.
    """

    statusChanged = Signal(object)  # EngineStatus
    progressed = Signal(object)  # AnswerProgress, at most one a request and tick
    answered = Signal(object)  # AnswerEnd, once a request
    localChanged = Signal(object)  # EngineStatus of this computer's model, be it shown or not
    loaded = Signal(object)  # Source that answers from now on, be it shown or not

    def __init__(self, parent: QObject | None = None, *, safe_start: SafeStart | None = None) -> None:
        """`safe_start` is told what is being loaded; others decide what is loaded when the program starts."""
        super().__init__(parent)
        self._safe_start = safe_start
        self._device = Device()
        self._best: dict[str, str] = {}  # backend that a source was given where the choice was left open, by its key
        self._local = self._seat = Seat()
        self._services: dict[str, Seat] = {}  # by their sources' keys
        self._told = self._seat.status
        self._answers: dict[int, Answer] = {}  # in the order in which they were asked for
        self._closed = False
        self._inbox: Mailbox[tuple[Runner, Word] | Counted | AnswerEnd] = Mailbox(self, self._start_timer)
        self._counter = Counter(self._inbox.post)
        self._timer = QTimer(self, interval=TICK_MILLISECONDS)
        self._timer.timeout.connect(self._tick)

    @property
    def status(self) -> EngineStatus:
        """How what is shown is now."""
        return self._seat.status

    @property
    def local(self) -> EngineStatus:
        """How this computer's model is now, be it shown or not."""
        return self._local.status

    def set_device(self, device: Device) -> None:
        """Compute models of this machine there from now on; one that is elsewhere is loaded anew."""
        if device == self._device:
            return
        is_there = self._is_on(device)
        self._device = device
        source, kind = self._local.status.source, self._local.status.kind
        if source is not None and not is_there and kind != "unloaded":
            self._load(self._local, source)

    def load(self, source: Source) -> None:
        """Load `source` and show it, as the user chose it. In place of another model of this machine an answer in
        progress is interrupted, and those that wait are written by the new one. For a service this machine's memory is
        given back, unless it answers still."""
        if self._closed:
            return
        self._drain()
        self._seat = self._seat_of(source)
        self._seat.locked = False
        self._load(self._seat, source)
        local = self._local
        if self._seat is not local and local.runner is not None and not self._answers_of(local):
            self._unload(local)

    def show(self, source: Source | None, *, locked: bool = False) -> None:
        """Show a service, which is loaded once it is asked, or this computer: with the model that it has, else with
        `source`. Nothing is interrupted. `locked`: its key is not known yet, and `unlock` comes."""
        self._drain()
        seat = self._local if source is None else self._seat_of(source)
        old = seat.status
        wanted = old.kind == "none" if seat is self._local else seat.runner is None and old.source != source
        if source is not None and wanted:
            seat.status = EngineStatus(kind="unloaded", source=source)
        seat.locked = locked and seat.runner is None
        self._seat = seat
        self._tell()

    def unlock(self, source: RemoteModel) -> None:
        """A service's key is known now, or another one than before: it is asked with that from now on, and what waited
        is asked. What is being written goes on. Harmless for a service that was never shown."""
        seat = self._services.get(source.key)
        if seat is None or self._closed:
            return
        self._drain()
        seat.locked = False
        if seat.runner is None or (seat.runner.source != source and not self._answers_of(seat)):
            seat.leave()
            self._set_status(seat, EngineStatus(kind="unloaded", source=source))
        else:
            self._set_status(seat, replace(seat.status, source=source))
        if seat.runner is None and self._answers_of(seat):
            self._load(seat, source)

    def reload(self, source: Source) -> None:
        """Have a model as `source` has it, which is the same with another way to ask it: anew where it is loaded."""
        self._drain()
        seat = self._seat_of(source)
        if seat.runner is None:
            self._set_status(seat, EngineStatus(kind="unloaded", source=source))
        else:
            self._load(seat, source)

    def forget(self, key: str) -> None:
        """Close a source that is not shown: it is no more, or is to be loaded otherwise."""
        for seat in self._seats():
            if seat is not self._seat and seat.status.source is not None and seat.status.source.key == key:
                seat.leave()
                self._interrupt(seat)
                seat.status = EngineStatus(kind="none")
        if key in self._services and self._services[key] is not self._seat:
            del self._services[key]

    def unload(self, *, local: bool = False) -> None:
        """Give back the memory of what is shown, or of this computer's model. All its answers are interrupted; the next
        question loads it again."""
        seat = self._local if local else self._seat
        if seat.runner is not None:
            self._drain()
            self._unload(seat)

    def wait_until_left(self) -> None:
        """Wait, some seconds at most, until this computer's model that was unloaded or replaced is closed. Not in the
        window's thread."""
        if (left := self._local.left) is not None:
            left.join(_LEAVE_SECONDS)

    def restart(self) -> None:
        """Load what is shown anew, whatever the engine does."""
        if self.status.source is not None and not self._seat.locked and not self._closed:
            self._drain()
            self._load(self._seat, self.status.source)

    def ask(self, request: int, messages: Sequence[Message], options: GenerationOptions) -> None:
        """Have what is shown answer a conversation, under a number of the caller's, which no answer that is due has.

        It waits while a model loads or another answer is written. After a failure, or where the model was unloaded, it
        is loaded first.
        """
        self._begin(Answer(Request(request, tuple(messages), options), self._seat))

    def continue_(self, request: int, messages: Sequence[Message], options: GenerationOptions) -> None:
        """Go on with the answer that is the last of `messages`, without white space at its end. The texts that are
        told are whole: they begin with what was there."""
        *before, last = messages
        text = last.content.rstrip()
        if not text:
            self.ask(request, before, options)
            return
        going_on = (*before, replace(last, content=text))
        self._begin(Answer(Request(request, going_on, options, continues=True), self._seat, opening=text))

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
        if self._seat.runner is None or self._seat is not self._local:
            self._inbox.post(Counted(reply, None))
        else:
            self._counter.ask(self._seat.runner, tuple(messages), reply)

    def close(self) -> None:
        """End everything, within two seconds whatever the engine does. Answers in progress are told as interrupted.
        Harmless when repeated."""
        if self._closed:
            return
        self._drain()
        self._closed = True
        self._counter.close()
        seats = self._seats()
        for seat in seats:
            seat.leave()
            self._interrupt(seat)
        self._timer.stop()
        self._inbox.close()
        for item in self._inbox.take():
            self._take(item)
        finish = monotonic() + _CLOSE_SECONDS
        for seat in seats:
            if seat.left is not None:
                seat.left.join(max(finish - monotonic(), 0))

    def _is_on(self, device: Device) -> bool:
        """Whether the model is known to be computed there already. An engine does not tell its compute units."""
        source, info = self.local.source, self.local.info
        if source is None or info is None or device.compute_units or self._device.compute_units:
            return False
        return info.backend == (device.backend or self._best.get(source.key))

    def _begin(self, answer: Answer) -> None:
        if self._closed:
            return
        self._answers[answer.request.number] = answer
        seat, source = answer.seat, answer.seat.status.source
        if seat.locked:
            return
        stale = seat.runner is not None and seat.runner.source != source and len(self._answers_of(seat)) == 1
        if source is None:
            self._inbox.post(answer.failed(self.tr("No model is loaded; choose one first.")))
        elif seat.runner is None or stale:
            self._load(seat, source)
        else:
            seat.runner.ask(answer.request)
            if seat.status.kind == "ready":
                self._set_status(seat, replace(seat.status, kind="answering"))

    def _seat_of(self, source: Source) -> Seat:
        return self._services.setdefault(source.key, Seat()) if isinstance(source, RemoteModel) else self._local

    def _seats(self) -> list[Seat]:
        return [self._local, *self._services.values()]

    def _answers_of(self, seat: Seat) -> list[Answer]:
        return [answer for answer in self._answers.values() if answer.seat is seat]

    def _load(self, seat: Seat, source: Source) -> None:
        waiting = self._interrupt(seat, begun_only=True)
        seat.leave()
        seat.load_begun = monotonic()
        seat.runner = Runner(
            source, self._inbox.post, device=self._device, before=seat.left, safe_start=self._safe_start
        )
        for answer in waiting:
            seat.runner.ask(answer.request)
        self._set_status(seat, EngineStatus(kind="loading", source=source, sentence=self._loading_sentence(source)))
        self._inbox.ring()  # for the seconds that loading takes

    def _unload(self, seat: Seat) -> None:
        seat.leave()
        self._interrupt(seat)
        self._set_status(seat, EngineStatus(kind="unloaded", source=seat.status.source))

    def _start_timer(self) -> None:
        if not self._closed:
            self._timer.start()

    def _tick(self) -> None:
        self._drain()
        loading = [seat for seat in self._seats() if seat.status.kind == "loading"]
        for seat in loading:
            self._set_status(seat, replace(seat.status, seconds=int(monotonic() - seat.load_begun)))
        if not loading and self._inbox.rest():
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
        else:
            for seat in self._seats():
                if seat.runner is item[0]:
                    self._take_word(seat, item[1])

    def _take_word(self, seat: Seat, word: Word) -> None:
        source = seat.status.source
        match word:
            case Preparing(stage, fraction):
                sentence = self.tr(
                    "Preparing {name} for this computer: this is needed only once, and can take two minutes."
                ).format(name=EMBEDDED.name)
                share = overall(stage, fraction, fetched=False)
                percent = seat.status.percent if share is None else int(100 * share)
                self._set_status(seat, replace(seat.status, sentence=sentence, preparing=True, percent=percent))
            case Loaded(info):
                seconds = int(monotonic() - seat.load_begun)
                kind: StatusKind = "answering" if self._answers_of(seat) else "ready"
                if source is not None and self._device == Device():
                    self._best[source.key] = info.backend
                self._set_status(seat, EngineStatus(kind=kind, source=source, seconds=seconds, info=info))
                self.loaded.emit(source)
            case Failed(error):
                seat.leave()
                sentence = told(error)
                chosen = isinstance(error, BackendUnavailableError) and self._device != Device()
                if chosen or isinstance(error, CoreMLError | DeviceMemoryError):
                    sentence += "\n" + self.tr("Settings, Compute on, says where models are computed.")
                elsewhere = chosen or isinstance(error, CoreMLError)  # room on a card comes back by itself
                failed = EngineStatus(kind="failed", source=source, sentence=sentence, elsewhere=elsewhere)
                self._set_status(seat, failed)
                for answer in self._answers_of(seat):
                    self._end(answer.failed(sentence))
            case Begun(request):
                if (due := self._answer(request)) is not None:
                    due.begun = True
            case Said(request, event):
                if (due := self._answer(request)) is not None:
                    end = due.take(event)
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
        answer = self._answers.pop(end.request, None)
        if answer is None:
            return
        seat = answer.seat
        if seat.status.kind == "answering" and not self._answers_of(seat):
            self._set_status(seat, replace(seat.status, kind="ready"))
        self.answered.emit(end)

    def _interrupt(self, seat: Seat, *, begun_only: bool = False) -> list[Answer]:
        """End the answers that are written, or all; those that are left."""
        for answer in self._answers_of(seat):
            if answer.begun or not begun_only:
                self._end(answer.interrupted())
        return self._answers_of(seat)

    def _set_status(self, seat: Seat, status: EngineStatus) -> None:
        seat.status = status
        if seat is self._local:
            self.localChanged.emit(status)
        self._tell()

    def _tell(self) -> None:
        """Tell how what is shown is, where that is news."""
        if (status := self._seat.status) != self._told:
            self._told = status
            self.statusChanged.emit(status)

    def _loading_sentence(self, source: Source) -> str:
        if isinstance(source, RemoteModel):
            return self.tr("Asking {name}…").format(name=source.name)
        return self.tr("Loading {name}…").format(name=source.name)
