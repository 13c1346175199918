"""What the conversation shows of one message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QCoreApplication

from desktop.store.records import Dropped, Figures, MessageState

translate = QCoreApplication.translate  # a name that pyside6-lupdate knows


@dataclass(frozen=True, kw_only=True)
class MessageItem:
    """A message and which of its alternatives it is."""

    id: int
    role: Literal["user", "assistant"]
    text: str
    state: MessageState
    index: int = 0  # from 0, among `count` alternatives
    count: int = 1
    model: str | None = None  # a name to show
    figures: Figures | None = None
    dropped: Dropped | None = None
    error: str | None = None  # one sentence
    reasoning: str = ""  # what the model thought before
    thinking: int | None = None  # whole seconds that it has thought, while it does

    @property
    def speaker(self) -> str:
        """Who says it: a Falcon by that name, whatever its files are called, and any other model by its own."""
        if self.role == "user":
            return translate("MessageWidget", "You")
        if not self.model or "falcon" in self.model.lower():
            return translate("MessageWidget", "Falcon")
        return self.model
