"""PlacesController: where each chat is answered. What was said on this computer goes to no service unasked.

A chat stays where it was answered last: with its service, or on this computer, with whichever model that has. One in
which nothing was said yet is answered by what the user chose last.
"""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject

from desktop.controllers.answers import Answers
from desktop.controllers.conversation import ConversationController
from desktop.controllers.models import ModelsController
from desktop.engine import EngineHost, RemoteModel, Source
from desktop.store.records import Chat, Service, StoredMessage
from desktop.store.store import Store


class PlacesController(QObject):
    """Shows the engine that answers the chat which is shown."""

    def __init__(
        self,
        store: Store,
        host: EngineHost,
        answers: Answers,
        conversation: ConversationController,
        models: ModelsController,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store, self._host = store, host
        self._conversation, self._models = conversation, models
        conversation.opened.connect(self._turn)
        answers.began.connect(self._note_answer)
        models.chosen.connect(self._note_choice)
        models.begun.connect(self._turn_shown)

    def _note_answer(self, message: StoredMessage) -> None:
        """The chat that is shown has begun to be answered."""
        if (source := self._host.status.source) is not None:
            self._keep(self._store.chat(message.chat), source)

    def _note_choice(self, source: Source) -> None:
        """The user chose a model in the chat that is shown."""
        chat = self._conversation.chat
        if chat is not None and self._conversation.path:
            self._keep(chat, source)

    def _keep(self, chat: Chat, source: Source) -> None:
        if chat.model != source.key:
            self._store.set_model(chat.id, source.key)

    def _turn_shown(self) -> None:
        if self._conversation.chat is not None:
            self._turn(self._conversation.chat)

    def _turn(self, chat: Chat) -> None:
        chosen, shown = self._models.default, self._host.status.source
        path = self._conversation.path
        if chosen is None:
            return  # nothing was loaded yet, or it took the program down
        key = self._store.chat(chat.id).model if path else chosen.key
        if shown is not None and shown.key == key:
            return
        service = self._service(key, [step.message.model for step in path if step.message.role == "assistant"])
        if service is None:
            is_kept_nowhere = not path and isinstance(chosen, RemoteModel)
            self._host.show(chosen if is_kept_nowhere else self._models.local(key))
            return
        # At once, though without its key: what is asked before the keychain answers goes to no one else.
        source = self._models.services.source(service)
        self._host.show(source)
        self._models.services.find(source.key, partial(self._take_key, chat.id))

    def _take_key(self, chat: int, source: RemoteModel | None) -> None:
        shown = self._conversation.chat
        if source is not None and shown is not None and shown.id == chat:
            self._host.show(source)

    def _service(self, key: str | None, writers: list[str | None]) -> Service | None:
        """The service that a chat belongs to, or one at its address, as another of its models may have been chosen; of
        a chat from before keys were kept, the one by the name of who answered last."""
        services = self._store.services()
        if key is None:
            return next((service for service in services if writers and writers[-1] == service.name), None)
        keys = {service.id: self._models.services.source(service).key for service in services}
        same = [service for service in services if keys[service.id] == key]
        near = [service for service in services if keys[service.id].partition("#")[0] == key.partition("#")[0]]
        return next(iter(same + near), None)
