"""EngineController: how the model is, for the header, the banner and the answer that waits for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, Signal

from desktop.controllers.answers import Answers
from desktop.controllers.conversation import ConversationController
from desktop.engine.events import AnswerProgress, EngineStatus
from desktop.engine.host import EngineHost
from desktop.engine.safe_start import SafeStart
from desktop.engine.sources import LocalModel, RemoteModel, Source
from desktop.store.records import Dropped, StoredMessage
from desktop.views.conversation.view import ConversationView
from desktop.views.window import MainWindow
from runtime import EngineInfo


class EngineController(QObject):
    """Loads what is chosen; says what it does and what failed; never loads twice what took the program down."""

    chooseRequested = Signal()
    chatFormatRequested = Signal(str)  # key of a model that has none: the user wants to choose one

    def __init__(
        self,
        host: EngineHost,
        answers: Answers,
        conversation: ConversationController,
        window: MainWindow,
        view: ConversationView,
        safe_start: SafeStart,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._host, self._answers, self._conversation = host, answers, conversation
        self._window, self._view = window, view
        self._crashed = safe_start.crashed()  # asked before anything is loaded
        self._told = ""  # what the banner says of a model that does not answer
        self._told_format = ""  # and of a model without a chat format
        self._known_formats: set[str] = set()  # keys of models of which the user knows that, and has read on
        self._ended: StoredMessage | None = None  # the answer that ended last with the engine that runs now
        self._used: int | None = None  # tokens, as they were counted
        self._counted_by: EngineInfo | None = None
        host.statusChanged.connect(self._show)
        answers.began.connect(self._show_pending)
        answers.grew.connect(self._grew)
        answers.ended.connect(self._note_end)
        conversation.metered.connect(self._meter)
        conversation.opened.connect(self._show_pending)
        conversation.modelNeeded.connect(self._need)
        view.restartRequested.connect(self.restart)
        window.banner.dismissed.connect(self._note_dismissed)

    def begin(self, source: Source) -> bool:
        """Load the model of the start, unless loading it ended in a crash the last time; whether it is loaded."""
        if self._crashed == source.key:
            sentence = self.tr("{name} was not loaded: the last time, loading it ended in a crash.")
            self._tell(sentence.format(name=source.name), self.tr("Load anyway"), lambda: self.load(source))
            self._window.header.set_model(source.name, "unloaded", self.tr("not loaded"))
            return False
        self.load(source)
        return True

    def load(self, source: Source) -> None:
        """Load a model in place of the one that answers now."""
        self._host.load(source)

    def restart(self) -> None:
        """Start the engine anew, with the model that it had."""
        self._host.restart()

    def unload(self) -> None:
        """Give the model's memory back."""
        self._host.unload()

    def progress(self, status: EngineStatus) -> str:
        """What an engine that loads does, how far it is where that is known, and for how long."""
        if status.percent is not None:
            how_far = self.tr("{what} {percent} %, {seconds} s")
            return how_far.format(what=status.sentence, percent=status.percent, seconds=status.seconds)
        if not status.seconds:
            return status.sentence
        return self.tr("{what} {seconds} s").format(what=status.sentence, seconds=status.seconds)

    def _show(self, status: EngineStatus) -> None:
        name = status.source.name if status.source is not None else ""
        remote = isinstance(status.source, RemoteModel)
        self._window.header.set_model(name, status.kind, self._words(status), remote=remote)
        self._window.action("unload").setEnabled(status.kind in ("ready", "answering", "loading"))
        self._window.action("restart-engine").setEnabled(status.source is not None)
        if status.kind == "failed":
            told = self._is_told_in_chat(status.sentence)
            short = self.tr("{name} gave no answer.") if remote else self.tr("{name} stopped.")
            self._tell(short.format(name=name) if told else status.sentence, *self.remedy(status))
        else:
            self._window.banner.withdraw(self._told)
            self._told = ""
            if status.kind in ("loading", "ready"):
                self._ended = None
        self._tell_format(status)
        self._meter(self._used if status.info == self._counted_by else None)
        self._show_pending()

    def remedy(self, status: EngineStatus) -> tuple[str, Callable[[], None]]:
        """What can be done about a model that failed: a button's text, and what it does."""
        if status.elsewhere:
            return self.tr("Settings…"), self._window.action("settings").trigger
        remote = isinstance(status.source, RemoteModel)
        return self.tr("Try again") if remote else self.tr("Restart"), self.restart

    def _tell(self, sentence: str, button: str, action: Callable[[], None]) -> None:
        """In the banner, in place of what it said of a model before, until one is loaded."""
        self._window.banner.withdraw(self._told)
        self._told = sentence
        self._window.banner.show_notice(sentence, button=button, action=action, lasting=True)

    def _tell_format(self, status: EngineStatus) -> None:
        """That a model does not answer but continues, once it is loaded and where no format was chosen for it."""
        source, told = status.source, ""
        if isinstance(source, LocalModel) and status.info is not None and status.info.has_chat_format:
            self._known_formats.discard(source.key)
        elif isinstance(source, LocalModel) and status.info is not None and source.key not in self._known_formats:
            told = self.tr(
                "{name} has no chat format, so it continues what you write instead of answering. If it was taught one, "
                "choose it."
            ).format(name=source.name)
        if told == self._told_format:
            return
        self._window.banner.withdraw(self._told_format)
        self._told_format = told
        if isinstance(source, LocalModel) and told:
            self._window.banner.show_notice(
                told,
                button=self.tr("Chat Format…"),
                action=partial(self.chatFormatRequested.emit, source.key),
                lasting=True,
            )

    def _note_dismissed(self, sentence: str) -> None:
        source = self._host.status.source
        if sentence == self._told_format and source is not None:
            self._known_formats.add(source.key)

    def _words(self, status: EngineStatus) -> str:
        match status.kind:
            case "loading":
                if status.percent is not None:
                    return self.tr("preparing, {percent} %").format(percent=status.percent)
                if status.preparing:
                    return self.tr("preparing, {seconds} s").format(seconds=status.seconds)
                return self.tr("loading, {seconds} s").format(seconds=status.seconds)
            case "answering":
                return self.tr("answering")
            case "failed":
                return self.tr("no answer") if isinstance(status.source, RemoteModel) else self.tr("stopped")
            case "unloaded":
                return self.tr("not asked yet") if isinstance(status.source, RemoteModel) else self.tr("not loaded")
            case "ready":
                return self.tr("ready")
        return ""

    def _show_pending(self, _of: object = None) -> None:
        """Under an answer without text: what it waits for."""
        waiting = self._waiting()
        if waiting is None or self._answers.text(waiting):
            return
        status = self._host.status
        if status.kind == "loading":
            self._view.show_pending(waiting, self.progress(status))
        elif status.kind == "answering":
            self._view.show_pending(waiting, self.tr("Reading the conversation…"))
        elif status.kind == "unloaded" and isinstance(status.source, RemoteModel):
            # What is asked of a service loads it at once, unless the keychain was not heard of yet.
            self._view.show_pending(waiting, self.tr("Waiting for the key of {name}…").format(name=status.source.name))

    def _waiting(self) -> int | None:
        """The answer in progress of the chat that is shown."""
        chat = self._conversation.chat
        return None if chat is None else self._answers.in_chat(chat.id)

    def _is_told_in_chat(self, sentence: str) -> bool:
        """Whether an answer in the chat that is shown says why the engine failed, or is about to as it waits for it."""
        chat, ended = self._conversation.chat, self._ended
        if chat is None:
            return False
        return self._waiting() is not None or (ended is not None and (ended.chat, ended.error) == (chat.id, sentence))

    def _note_end(self, message: StoredMessage) -> None:
        self._ended = message

    def _grew(self, message: StoredMessage, progress: AnswerProgress) -> None:
        chat = self._conversation.chat
        if chat is None or message.chat != chat.id or progress.prefilled is None:
            return
        if progress.prefilled.prompt_tokens:  # a service tells them at the end, if at all
            self._meter(progress.prefilled.prompt_tokens + progress.tokens, progress.dropped)

    def _meter(self, used: int | None, dropped: Dropped | None = None) -> None:
        self._used, self._counted_by = used, self._host.status.info
        info = self._counted_by
        note = ""
        if dropped is not None and dropped.messages:
            note = self.tr("%n message(s) were left out.", "", dropped.messages)
        elif dropped is not None:
            note = self.tr("Part of a message was left out.")
        self._window.header.set_context(used, info.context_length if info is not None else None, note)

    def _need(self) -> None:
        if self._host.status.kind == "failed":
            return  # asking loads it anew
        self._tell(self.tr("No model is loaded yet."), self.tr("Choose a model"), self.chooseRequested.emit)
