"""ChatSettingsController: the panel beside the chat, between it and the store."""

from __future__ import annotations

from PySide6.QtCore import QObject

from desktop.controllers.conversation import ConversationController
from desktop.store.records import Chat
from desktop.store.store import Store
from desktop.views.chat_settings import ChatSettingsPanel
from runtime import GenerationOptions


class ChatSettingsController(QObject):
    """What is changed in the panel belongs to the chat that is shown."""

    def __init__(
        self,
        store: Store,
        conversation: ConversationController,
        panel: ChatSettingsPanel,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store, self._conversation, self._panel = store, conversation, panel
        panel.promptChanged.connect(self._set_prompt)
        panel.optionsChanged.connect(self._set_options)
        panel.presetChosen.connect(self._use)
        panel.presetSaveRequested.connect(self._save)
        panel.presetDeleteRequested.connect(self._delete)
        conversation.leaving.connect(panel.flush)
        conversation.opened.connect(self._show)
        panel.set_presets(store.presets())
        if conversation.chat is not None:
            self._show(conversation.chat)

    def _show(self, chat: Chat) -> None:
        self._panel.defaults = self._conversation.new_options
        self._panel.set_chat(chat.system_prompt, chat.options)
        presets = self._store.presets()
        same = [preset.id for preset in presets if (preset.system_prompt, preset.options) == _of(chat)]
        self._panel.set_presets(presets, same[0] if same else None)

    def _set_prompt(self, text: str) -> None:
        if (chat := self._conversation.chat) is not None:
            self._conversation.drafts.set_prompt(chat.id, text)
            self._conversation.refresh()

    def _set_options(self, options: GenerationOptions) -> None:
        if (chat := self._conversation.chat) is not None:
            self._store.set_options(chat.id, options)
            self._conversation.refresh()

    def _use(self, preset: int) -> None:
        chat = self._conversation.chat
        found = next((known for known in self._store.presets() if known.id == preset), None)
        if chat is not None and found is not None:
            self._conversation.drafts.set_prompt(chat.id, found.system_prompt)
            self._store.set_options(chat.id, found.options)
            self._reload()

    def _save(self, name: str) -> None:
        if (chat := self._conversation.chat) is not None:
            self._store.save_preset(name, chat.system_prompt, chat.options)
            self._reload()

    def _delete(self, preset: int) -> None:
        self._store.delete_preset(preset)
        self._reload()

    def _reload(self) -> None:
        self._conversation.refresh()
        if (chat := self._conversation.chat) is not None:
            self._show(chat)


def _of(chat: Chat) -> tuple[str, GenerationOptions]:
    return chat.system_prompt, chat.options
