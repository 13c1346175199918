"""Drafts: what is being written, in composer, editors of messages and as a system prompt, on its way into the store.

Where the disk refuses it stays here, and is tried until the disk takes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from PySide6.QtCore import QObject, QTimer, Signal

from desktop.store.errors import StoreError
from desktop.store.records import Chat
from desktop.store.store import Store
from desktop.told import told

T = TypeVar("T")

_AGAIN_MS = 1000


class Drafts(QObject):
    """Drafts and system prompts by chat, edits under way by message."""

    troubled = Signal(str)  # a sentence: the disk refuses; "" when it takes again

    def __init__(self, store: Store, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._drafts: dict[int, str] = {}  # what the store does not have yet
        self._edits: dict[int, str | None] = {}
        self._prompts: dict[int, str] = {}
        self._in_trouble = False
        self._timer = QTimer(self, interval=_AGAIN_MS)
        self._timer.timeout.connect(lambda: self.keep())

    @property
    def unkept(self) -> bool:
        """Whether text is here that would be lost with the program."""
        return any(any(texts.values()) for texts in (self._drafts, self._edits, self._prompts))

    def draft(self, chat: Chat) -> str:
        """What stands in the composer of a chat."""
        return self._drafts.get(chat.id, chat.draft)

    def set_draft(self, chat: int, text: str) -> None:
        """Keep what stands in the composer of a chat."""
        self._drafts[chat] = text
        self.keep()

    def edits(self, chat: int) -> dict[int, str]:
        """What stands in editors of a chat, by message; of other chats there may be more."""
        every: dict[int, str | None] = {**self._store.edits(chat), **self._edits}
        return {message: text for message, text in every.items() if text is not None}

    def set_edit(self, message: int, text: str | None) -> None:
        """Keep what stands in a message's editor; None: it is not being changed."""
        self._edits[message] = text
        self.keep()

    def prompted(self, chat: Chat) -> Chat:
        """A chat with the system prompt that it has here."""
        return replace(chat, system_prompt=self._prompts[chat.id]) if chat.id in self._prompts else chat

    def set_prompt(self, chat: int, text: str) -> None:
        """Keep the system prompt of a chat."""
        self._prompts[chat] = text
        self.keep()

    def keep(self) -> bool:
        """Hand all that the store does not have yet to it; whether it took it."""
        try:
            _hand(self._drafts, self._store.set_draft)
            _hand(self._edits, self._store.set_edit)
            _hand(self._prompts, self._store.set_system_prompt)
        except StoreError as error:
            if not self._in_trouble:
                self._in_trouble = True
                self._timer.start()
                self.troubled.emit(told(error))
            return False
        if self._in_trouble:
            self._in_trouble = False
            self._timer.stop()
            self.troubled.emit("")
        return True

    def close(self) -> None:
        """Try for the last time: the store is closed next."""
        self.keep()
        self._timer.stop()


def _hand(texts: dict[int, T], take: Callable[[int, T], None]) -> None:
    for key, text in list(texts.items()):
        take(key, text)
        del texts[key]
