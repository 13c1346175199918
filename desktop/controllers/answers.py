"""Answers: what is being written, for whichever chat, and its way into the store.

The text so far, and what was thought before it, is kept each second and once more at the end; where the disk refuses,
it is tried until it takes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from PySide6.QtCore import QObject, QTimer, Signal

from desktop.engine.events import AnswerEnd, AnswerProgress
from desktop.engine.host import EngineHost
from desktop.store.errors import StoreError
from desktop.store.records import StoredMessage
from desktop.store.store import Store
from desktop.told import told
from runtime import GenerationOptions, Message

KEEP_SECONDS = 1.0


@dataclass
class _Answer:
    message: StoredMessage
    text: str  # all so far
    reasoning: str  # all that was thought so far
    kept: tuple[str, str]  # of both, what the store has
    thinking: int | None = None  # whole seconds that the model has been at that; None while it is not
    end: AnswerEnd | None = None  # it has ended, and the store does not have it yet


class Answers(QObject):
    """All answers in progress. A request's number is its message's id."""

    began = Signal(object)  # StoredMessage
    grew = Signal(object, object)  # StoredMessage as it began, AnswerProgress with the whole text
    ended = Signal(object)  # StoredMessage as it is kept
    troubled = Signal(str)  # a sentence: the disk refuses; "" when it takes again

    def __init__(self, store: Store, host: EngineHost, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._host = host
        self._answers: dict[int, _Answer] = {}
        self._refused: set[int] = set()  # messages that the disk does not take
        self._timer = QTimer(self, interval=int(KEEP_SECONDS * 1000))
        self._timer.timeout.connect(self._keep)
        host.progressed.connect(self._progressed)
        host.answered.connect(self._answered)

    def ask(self, message: StoredMessage, conversation: Sequence[Message], options: GenerationOptions) -> None:
        """Have `message`, an empty answer in the store, written."""
        self._begin(_Answer(message, "", "", ("", "")))
        self._host.ask(message.id, conversation, options)

    def go_on(self, message: StoredMessage, conversation: Sequence[Message], options: GenerationOptions) -> None:
        """Have more written to `message`; `conversation` ends with what it says now. Raises StoreError."""
        message = self._store.resume(message.id)  # else nothing would be kept of it before its end
        self._begin(_Answer(message, message.text, message.reasoning, (message.text, message.reasoning)))
        self._host.continue_(message.id, conversation, options)

    def cancel(self, message: int) -> None:
        """Stop an answer; what it said is kept."""
        if message in self._answers:
            self._host.cancel(message)

    def text(self, message: int) -> str | None:
        """What an answer in progress says so far; None where it is not in progress."""
        answer = self._answers.get(message)
        return answer.text if answer is not None and answer.end is None else None

    def thoughts(self, message: int) -> tuple[str, int | None]:
        """What was thought so far before an answer in progress, and for how many whole seconds its model has been at
        that; None while it is not."""
        answer = self._answers.get(message)
        return (answer.reasoning, answer.thinking) if answer is not None else ("", None)

    def in_chat(self, chat: int) -> int | None:
        """The answer in progress of a chat."""
        for message, answer in self._answers.items():
            if answer.message.chat == chat and answer.end is None:
                return message
        return None

    def chats(self) -> set[int]:
        """The chats in which an answer is in progress."""
        return {answer.message.chat for answer in self._answers.values() if answer.end is None}

    def close(self) -> None:
        """Keep what there is, as interrupted: the program ends."""
        for message, answer in list(self._answers.items()):
            if answer.end is None:
                self._host.cancel(message)
                answer.end = AnswerEnd(request=message, text=answer.text, state="interrupted")
        self._keep()

    def _begin(self, answer: _Answer) -> None:
        self._answers[answer.message.id] = answer
        self._timer.start()
        self.began.emit(answer.message)

    def _progressed(self, progress: AnswerProgress) -> None:
        answer = self._answers.get(progress.request)
        if answer is not None and answer.end is None:
            answer.text = progress.text
            answer.reasoning = _with(answer.message.reasoning, progress.reasoning)
            answer.thinking = progress.thinking
            self.grew.emit(answer.message, replace(progress, reasoning=answer.reasoning))

    def _answered(self, end: AnswerEnd) -> None:
        answer = self._answers.get(end.request)
        if answer is not None and answer.end is None:
            answer.text = end.text
            answer.reasoning = _with(answer.message.reasoning, end.reasoning)
            answer.end = end
            self._keep_one(answer)

    def _keep(self) -> None:
        for answer in list(self._answers.values()):
            self._keep_one(answer)
        if not self._answers:
            self._timer.stop()

    def _keep_one(self, answer: _Answer) -> None:
        try:
            if answer.end is not None:
                self._finish(answer, answer.end)
            elif (answer.text, answer.reasoning) != answer.kept:
                self._store.write(answer.message.id, answer.text, answer.reasoning)
                answer.kept = answer.text, answer.reasoning
        except StoreError as error:
            if not self._refused:  # said once, not each second
                self.troubled.emit(told(error))
            self._refused.add(answer.message.id)
            return
        if answer.message.id in self._refused:
            self._refused.remove(answer.message.id)
            if not self._refused:
                self.troubled.emit("")

    def _finish(self, answer: _Answer, end: AnswerEnd) -> None:
        kept = self._store.finish(
            answer.message.id,
            answer.text,
            end.state,
            figures=end.figures,
            dropped=end.dropped,
            error=end.error,
            model=end.model,
            reasoning=answer.reasoning,
        )
        del self._answers[kept.id]
        self.ended.emit(kept)


def _with(before: str, now: str) -> str:
    """What was thought before the first part of an answer, and before the one with which it goes on."""
    return f"{before}\n\n{now}" if before and now else before or now
