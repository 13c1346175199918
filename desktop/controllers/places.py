"""PlacesController: where each chat is answered. What was said on this computer goes to no service unasked.

A chat stays where it was answered last: with its service, or on this computer, with whichever model that has. One in
which nothing was said yet is answered by what the user chose last.
"""

from __future__ import annotations

from PySide6.QtCore import QObject

from desktop.controllers.answers import Answers
from desktop.controllers.conversation import ConversationController
from desktop.controllers.models import ModelsController
from desktop.engine import EngineHost, Source
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
        said = bool(self._conversation.path)
        if chosen is None and not said:
            return  # nothing was loaded yet, or it took the program down
        key = self._store.chat(chat.id).model if said else chosen.key if chosen is not None else None
        if shown is not None and shown.key == key:
            return
        service = self._service(key)
        if service is not None:
            self._models.show_service(self._models.services.source(service))
        elif chosen is not None:
            self._host.show(self._models.local(key))

    def _service(self, key: str | None) -> Service | None:
        """The service that a chat belongs to, or one at its address, as another of its models may have been chosen."""
        if key is None or not key.startswith("service:"):
            return None
        keys = {service: self._models.services.source(service).key for service in self._store.services()}
        near = [service for service, other in keys.items() if other.partition("#")[0] == key.partition("#")[0]]
        return min(near, key=lambda service: (keys[service] != key, not key.endswith(f"#{service.id}")), default=None)
