"""ConversationController: the chat that the window shows, between its view, the store and the answers in progress."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from PySide6.QtCore import QObject, Signal

from desktop.controllers.answers import Answers
from desktop.controllers.drafts import Drafts
from desktop.controllers.prompt import conversation
from desktop.controllers.titles import title_of
from desktop.engine import Source
from desktop.engine.events import AnswerProgress, EngineStatus
from desktop.engine.host import EngineHost
from desktop.store.records import Chat, Step, StoredMessage
from desktop.store.search import places
from desktop.store.store import Store
from desktop.views.composer import Composer
from desktop.views.conversation.items import MessageItem
from desktop.views.conversation.view import ConversationView
from runtime import EngineInfo, GenerationOptions


class ConversationController(QObject):
    """One chat at a time is shown; answers of others go on behind."""

    leaving = Signal()  # another chat is about to be shown: keep what is being changed in this one
    opened = Signal(object)  # Chat
    busyChanged = Signal(bool)  # whether an answer is being written in the chat that is shown
    renamed = Signal(str)  # title of the chat that is shown
    listChanged = Signal()  # titles or order of chats
    metered = Signal(object)  # tokens of the prompt as it stands, or None where nobody can say
    modelNeeded = Signal()  # something was sent, and no model is loaded or loading

    def __init__(
        self,
        store: Store,
        answers: Answers,
        host: EngineHost,
        view: ConversationView,
        composer: Composer,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store, self._answers, self._host = store, answers, host
        self._view, self._composer = view, composer
        self._chat: Chat | None = None
        self._path: list[Step] = []
        self._draft = ""
        self.drafts = Drafts(store, self)
        self._counts: tuple[Source | None, EngineInfo | None] = None, None  # who counts tokens
        self._questions = 0  # how often it was asked for them
        self.new_options = GenerationOptions()
        """Of chats that begin."""
        composer.sendRequested.connect(self.send)
        composer.stopRequested.connect(self.stop)
        composer.draftChanged.connect(self._draft_changed)
        composer.editLastRequested.connect(self.edit_last)
        composer.upRequested.connect(view.go_up)
        view.regenerateRequested.connect(self.regenerate)
        view.editRequested.connect(self.edit)
        view.editChanged.connect(self._edit_changed)
        view.continueRequested.connect(self.go_on)
        view.alternativeRequested.connect(self.turn_page)
        answers.began.connect(self._began)
        answers.grew.connect(self._grew)
        answers.ended.connect(self._ended)
        host.statusChanged.connect(self._count_anew)

    @property
    def chat(self) -> Chat | None:
        """The chat that is shown."""
        return self._chat

    @property
    def path(self) -> Sequence[Step]:
        """What is said in the chat that is shown, in order."""
        return self._path

    def open(self, chat: int, message: int | None = None) -> None:
        """Show a chat; `message` chooses the path through it and is scrolled to."""
        self.leave()
        if message is not None:
            self._store.select(message)
        self._chat = self._read(chat)
        self._draft = self.drafts.draft(self._chat)
        self._composer.set_draft(self._draft)
        self._view.set_edits(self.drafts.edits(chat))
        self._show(focus=message)
        self.opened.emit(self._chat)

    def show_found(self, message: int, query: str) -> None:
        """Mark in a message that is shown what a search for `query` found in it."""
        self._view.show_found(message, partial(places, query))

    def hide_found(self) -> None:
        """Mark it no longer."""
        self._view.hide_found()

    def open_new(self, *, folder: int | None = None) -> None:
        """Show an empty chat: one that was left as it began, if there is one, else a new one."""
        self.leave()
        for chat in self._store.chats():
            if chat.folder == folder and self._is_untouched(chat):
                if chat.options == replace(self.new_options, context_policy=chat.options.context_policy):
                    self._store.set_options(chat.id, self.new_options)  # the settings may have changed since it began
                break
        else:
            chat = self._store.new_chat(folder=folder, options=self.new_options)
            self.listChanged.emit()
        self.open(chat.id)

    def _read(self, chat: int) -> Chat:
        """A chat as the store has it, with the system prompt that waits for the disk."""
        return self.drafts.prompted(self._store.chat(chat))

    def _is_untouched(self, chat: Chat) -> bool:
        prompt = self.drafts.prompted(chat).system_prompt
        return not (chat.title or chat.draft or prompt or self._store.path(chat.id))

    def refresh(self) -> None:
        """Read the chat anew: its title, options or prompt were changed elsewhere."""
        if self._chat is not None:
            self._chat = self._read(self._chat.id)
            self.renamed.emit(self._chat.title)
            self._count()

    def text(self, message: int) -> str | None:
        """What a message says; None where it is not on the path that is shown."""
        step = self._step(message)
        return step.message.text if step is not None else None

    def last_answer(self) -> StoredMessage | None:
        """The answer that the path ends with."""
        if self._path and self._path[-1].message.role == "assistant":
            return self._path[-1].message
        return None

    def retry(self) -> None:
        """Another answer to the last question."""
        if self._path:
            self.regenerate(self._path[-1].message.id)

    def go_on_last(self) -> None:
        """Have the last answer written further."""
        if (answer := self.last_answer()) is not None:
            self.go_on(answer.id)

    def send(self, text: str) -> None:
        """Say something; the answer follows."""
        if self._chat is None:
            self.open_new()
        chat = self._chat
        assert chat is not None
        if not text.strip() or self._answers.in_chat(chat.id) is not None:
            return
        parent = self._path[-1].message.id if self._path else None
        message = self._store.add(chat.id, parent, "user", text)
        self._draft = ""
        self._composer.set_draft("")
        self.drafts.set_draft(chat.id, "")
        if parent is None:
            self._store.set_automatic_title(chat.id, title_of(text))
        self._answer(message.id)
        self.refresh()

    def stop(self) -> None:
        """End the answer in progress in this chat."""
        if self._chat is not None and (answer := self._answers.in_chat(self._chat.id)) is not None:
            self._answers.cancel(answer)

    def regenerate(self, message: int) -> None:
        """Another answer beside `message`; that one stays as an alternative."""
        step = self._step(message)
        if step is not None and self._is_free():
            self._answer(step.message.parent if step.message.role == "assistant" else message)

    def edit(self, message: int, text: str) -> None:
        """Another wording beside `message`: the user's is answered, the model's stands as it is."""
        step = self._step(message)
        if step is None or not text.strip() or not self._is_free():
            return
        old = step.message
        new = self._store.add(old.chat, old.parent, old.role, text, model=old.model)
        self._view.close_editor(message)
        if old.role == "user":
            self._answer(new.id)
            self._composer.setFocus()
        else:
            self._show()

    def edit_last(self) -> None:
        """Begin to change what the user said last, or go on with it."""
        for step in reversed(self._path):
            if step.message.role == "user":
                self._view.open_editor(step.message.id)
                return

    def edit_again(self, message: int, text: str) -> None:
        """Have an editor that was cancelled back, with what stood in it; its page, too, where another was turned to."""
        if self._step(message) is None:
            self._store.select(message)
            self._show()
        self._view.open_editor(message, text)

    def go_on(self, message: int) -> None:
        """Have more written to an answer that ended."""
        step = self._step(message)
        if step is None or step.message.role != "assistant" or not self._is_free():
            return
        assert self._chat is not None
        path = self._path[: self._path.index(step) + 1]
        self._need_model()
        self._answers.go_on(step.message, conversation(self._chat.system_prompt, path), self._chat.options)

    def turn_page(self, message: int, by: int) -> None:
        """Show the alternative `by` places after `message`."""
        ids = self._store.alternatives(message)
        place = ids.index(message) + by
        if 0 <= place < len(ids) and self._is_free():
            self._store.select(ids[place])
            self._show()

    def leave(self) -> None:
        """Keep what is being typed, here and in the chat's settings: another chat is shown next, or the end is near."""
        self._composer.flush()
        self._view.flush_edits()
        self.leaving.emit()

    def _is_free(self) -> bool:
        return self._chat is not None and self._answers.in_chat(self._chat.id) is None

    def _step(self, message: int) -> Step | None:
        return next((step for step in self._path if step.message.id == message), None)

    def _need_model(self) -> None:
        if self._host.status.kind in ("none", "failed"):
            self.modelNeeded.emit()

    def _answer(self, question: int | None) -> None:
        """Begin an answer to `question`, the leaf of the path that the model is asked with."""
        assert self._chat is not None
        chat = self._chat.id
        self._need_model()
        model = self._host.status.writer
        answer = self._store.add(chat, question, "assistant", "", state="streaming", model=model)
        self._show()
        self._answers.ask(answer, conversation(self._chat.system_prompt, self._path[:-1]), self._chat.options)
        self.listChanged.emit()

    def _show(self, *, focus: int | None = None) -> None:
        assert self._chat is not None
        self._chat = self._read(self._chat.id)
        self._path = self._store.path(self._chat.id)
        self._view.set_items([self._item(step) for step in self._path], focus=focus)
        self._set_busy()
        self._count()

    def _set_busy(self) -> None:
        busy = not self._is_free()
        self._view.set_busy(busy)
        self.busyChanged.emit(busy)

    def _item(self, step: Step) -> MessageItem:
        message = step.message
        so_far = self._answers.text(message.id)
        reasoning, thinking = (message.reasoning, None) if so_far is None else self._answers.thoughts(message.id)
        return MessageItem(
            id=message.id,
            role=message.role,
            text=message.text if so_far is None else so_far,
            state=message.state if so_far is None else "streaming",
            index=step.index,
            count=step.count,
            model=message.model,
            figures=message.figures,
            dropped=message.dropped,
            error=message.error,
            reasoning=reasoning,
            thinking=thinking,
        )

    def _began(self, message: StoredMessage) -> None:
        if self._chat is not None and message.chat == self._chat.id:
            self._set_busy()
            self._replace(message)

    def _grew(self, message: StoredMessage, progress: AnswerProgress) -> None:
        if self._step(message.id) is not None:
            self._view.stream(message.id, progress.text, progress.reasoning, progress.thinking)

    def _ended(self, message: StoredMessage) -> None:
        if self._chat is not None and message.chat == self._chat.id:
            self._set_busy()
            self._replace(message)
            self._count()
        self.listChanged.emit()

    def _replace(self, message: StoredMessage) -> None:
        """Draw a message of the path anew."""
        self._path = [
            Step(message=message, index=step.index, count=step.count) if step.message.id == message.id else step
            for step in self._path
        ]
        if (step := self._step(message.id)) is not None:
            self._view.replace(self._item(step))

    def _draft_changed(self, text: str) -> None:
        if self._chat is None:
            if not text:
                return
            self.open_new()
            self._composer.set_draft(text)  # in the place of that chat's, which is empty
        assert self._chat is not None
        self._draft = text
        self.drafts.set_draft(self._chat.id, text)
        self._count()

    def _edit_changed(self, message: int, text: str | None) -> None:
        self.drafts.set_edit(message, None if text == self.text(message) else text)

    def _count(self) -> None:
        """Ask how long the prompt is, the draft included."""
        if self._chat is None:
            return
        self._questions += 1
        question = self._questions
        path = self._path
        if self._draft.strip():
            draft = StoredMessage(
                id=0, chat=self._chat.id, parent=None, role="user", text=self._draft, state="complete", created=0
            )
            path = [*path, Step(message=draft, index=0, count=1)]
        if not path:
            self.metered.emit(0)
        elif (used := self._told_by_answer(path[-1].message)) is not None:
            self.metered.emit(used)
        elif not self._is_free():
            self.metered.emit(None)  # until it tells
        else:
            self._host.count(
                conversation(self._chat.system_prompt, path), lambda tokens: self._counted(question, tokens)
            )

    def _counted(self, question: int, tokens: int | None) -> None:
        if question == self._questions:  # else something else is shown by now
            self.metered.emit(tokens)

    def _told_by_answer(self, message: StoredMessage) -> int | None:
        """Tokens up to the end of an answer, where the model that would go on from there has counted them."""
        figures, status = message.figures, self._host.status
        if figures is None or not figures.prompt_tokens or message.model != status.writer:
            return None
        if status.info is not None and status.info.context_length != figures.context_length:
            return None
        return figures.prompt_tokens + figures.new_tokens

    def _count_anew(self, status: EngineStatus) -> None:
        """Another model counts otherwise."""
        counts = status.source, status.info
        if counts != self._counts:
            self._counts = counts
            self._count()
