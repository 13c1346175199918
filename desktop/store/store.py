"""Store: chats, messages, folders, presets and services on disk, behind one object.

It belongs to the thread that opened it; another thread or program may open the same folder. Every method that changes
something has committed it on return, and raises StoreError, one sentence, where the disk does not let it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from desktop.store import chats as chat_rows
from desktop.store import messages as message_rows
from desktop.store import presets as preset_rows
from desktop.store import search as searching
from desktop.store import services as service_rows
from desktop.store import trees
from desktop.store.errors import StoreError
from desktop.store.listing import Listing
from desktop.store.opening import Opened, open_chats
from desktop.store.records import (
    Chat,
    DeletedChat,
    Dropped,
    Figures,
    Folder,
    Hit,
    MessageState,
    Preset,
    Service,
    Step,
    StoredMessage,
)
from desktop.store.trees import ChatTree
from runtime import GenerationOptions


class Store:
    """The user's chats in one folder."""

    def __init__(self, opened: Opened) -> None:
        self._db = opened.database
        self._listing = Listing(opened.database)
        self._lock = opened.lock
        self._alone = opened.alone
        self.notice = opened.notice
        """One sentence for the user where the file was upgraded or rescued."""

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Open the chats in `folder`, made where it is missing.

        An older file is upgraded, with a copy kept; a damaged one is set aside and its rows rescued; `notice` says so.
        Answers that were being written when the last program ended become `interrupted`, and chats that were deleted
        30 days ago are removed for good. Raises StoreError, for a newer program's file too.
        """
        store = cls(open_chats(folder))
        try:
            store._tidy()
        except StoreError:
            store.close()
            if not store._db.damage_mark.exists():
                raise
            store = cls(open_chats(folder))  # with the damage that was met just now rescued
            store._tidy()
        return store

    @property
    def folder(self) -> Path:
        """Where the chats are."""
        return self._db.file.parent

    def _tidy(self) -> None:
        if self._alone:  # otherwise another program may be writing an answer now
            message_rows.interrupt_streaming(self._db)
            chat_rows.purge(self._db, time.time())

    def close(self) -> None:
        """Bring the log into the file and let go of it. Never raises for the disk: what is in the log is safe there."""
        self._db.close()
        self._lock.close()

    # Chats

    def new_chat(
        self,
        *,
        folder: int | None = None,
        system_prompt: str = "",
        options: GenerationOptions | None = None,
        model: str | None = None,
    ) -> Chat:
        """Add an empty chat; without `options` it has the defaults."""
        return chat_rows.new_chat(self._db, folder, system_prompt, options or GenerationOptions(), model)

    def chat(self, id: int) -> Chat:  # noqa: A002 - what everyone calls it
        """One chat, deleted or not."""
        return chat_rows.get(self._db, id)

    def chats(self, *, archived: bool = False) -> list[Chat]:
        """Chats that are not deleted, in the archive or outside it: pinned first, then the newest. One that did not
        change since the last call is the same object."""
        return self._listing.chats(archived)

    def rename(self, chat: int, title: str) -> Chat:
        """Give a chat the user's own title. An empty one takes it away: then an automatic one may come."""
        return chat_rows.set_title(self._db, chat, title, by_user=True)

    def set_automatic_title(self, chat: int, title: str) -> Chat:
        """Give a chat a title unless it has one from the user."""
        return chat_rows.set_title(self._db, chat, title, by_user=False)

    def pin(self, chats: Sequence[int], pinned: bool) -> None:
        """Keep chats at the top of the list, or no longer."""
        chat_rows.set_column(self._db, chats, "pinned", int(pinned))

    def archive(self, chats: Sequence[int], archived: bool) -> None:
        """Put chats into the archive, or take them out."""
        chat_rows.set_column(self._db, chats, "archived", int(archived))

    def move(self, chats: Sequence[int], folder: int | None) -> None:
        """Put chats into a folder, or into none."""
        chat_rows.set_column(self._db, chats, "folder", folder)

    def set_system_prompt(self, chat: int, text: str) -> None:
        """What the model is told first in this chat."""
        chat_rows.set_column(self._db, [chat], "system_prompt", text)

    def set_options(self, chat: int, options: GenerationOptions) -> None:
        """How answers of this chat are written."""
        chat_rows.set_options(self._db, chat, options)

    def set_draft(self, chat: int, text: str) -> None:
        """What stands in the composer of this chat."""
        chat_rows.set_column(self._db, [chat], "draft", text, durable=False)

    def set_model(self, chat: int, key: str | None) -> None:
        """The model that this chat is answered with."""
        chat_rows.set_column(self._db, [chat], "model", key)

    def rename_model(self, old: str, new: str) -> None:
        """What all chats know by the key `old` has another one now."""
        chat_rows.rename_model(self._db, old, new)

    def delete(self, chats: Sequence[int]) -> None:
        """Hide chats; they can be had back until a start 30 days later."""
        chat_rows.set_column(self._db, chats, "deleted", time.time())

    def undelete(self, chats: Sequence[int]) -> None:
        """Have deleted chats back."""
        chat_rows.set_column(self._db, chats, "deleted", None)

    def deleted_chats(self) -> list[DeletedChat]:
        """Chats that can be had back, what was deleted last first."""
        return chat_rows.list_deleted(self._db)

    def remove(self, chats: Sequence[int]) -> None:
        """Remove deleted chats for good."""
        chat_rows.remove(self._db, chats)

    # Messages

    def path(self, chat: int) -> list[Step]:
        """The current path, from the first message to the last."""
        return message_rows.path(self._db, chat)

    def add(
        self,
        chat: int,
        parent: int | None,
        role: Literal["user", "assistant"],
        text: str,
        *,
        state: MessageState = "complete",
        model: str | None = None,
    ) -> StoredMessage:
        """Add a message under `parent`, None for a first one; the current path now ends with it."""
        return message_rows.add(self._db, chat, parent, role, text, state, model)

    def write(self, message: int, text: str, reasoning: str | None = None) -> None:
        """Keep all that a streaming answer says so far, and what was thought before it; None leaves that as it is.
        Survives a kill; a power cut may take the last second."""
        message_rows.write(self._db, message, text, reasoning)

    def resume(self, message: int) -> StoredMessage:
        """Mark an answer as streaming again, to be continued by `write` and `finish` with its whole text."""
        return message_rows.resume(self._db, message)

    def finish(
        self,
        message: int,
        text: str,
        state: MessageState,
        *,
        figures: Figures | None = None,
        dropped: Dropped | None = None,
        error: str | None = None,
        model: str | None = None,
        reasoning: str = "",
    ) -> StoredMessage:
        """Keep an answer's whole text, what was thought before it, how it ended, and who wrote it where that was not
        known before."""
        return message_rows.finish(self._db, message, text, state, figures, dropped, error, model, reasoning)

    def select(self, message: int) -> None:
        """Lead the current path through a message, and on to its last used descendant."""
        message_rows.select(self._db, message)

    def alternatives(self, message: int) -> list[int]:
        """The ids of a message and of its siblings, oldest first."""
        return message_rows.alternatives(self._db, message)

    def set_edit(self, message: int, text: str | None) -> None:
        """What stands in a message's editor; None where it is not being changed."""
        message_rows.set_edit(self._db, message, text)

    def edits(self, chat: int) -> dict[int, str]:
        """What stands in editors of a chat, by message."""
        return message_rows.edits(self._db, chat)

    # Folders, presets, services

    def folders(self) -> list[Folder]:
        """Folders in the user's order."""
        return chat_rows.list_folders(self._db)

    def new_folder(self, name: str) -> Folder:
        """Add a folder after the others."""
        return chat_rows.new_folder(self._db, name)

    def rename_folder(self, folder: int, name: str) -> None:
        """Name a folder."""
        chat_rows.rename_folder(self._db, folder, name)

    def order_folders(self, folders: Sequence[int]) -> None:
        """Put folders, given by id, into this order."""
        chat_rows.order_folders(self._db, folders)

    def delete_folder(self, folder: int) -> None:
        """Remove a folder; its chats move out of it."""
        chat_rows.delete_folder(self._db, folder)

    def presets(self) -> list[Preset]:
        """Presets by name."""
        return preset_rows.list_presets(self._db)

    def save_preset(self, name: str, system_prompt: str, options: GenerationOptions) -> Preset:
        """Keep a preset; one of the same name is replaced."""
        return preset_rows.save(self._db, name, system_prompt, options)

    def delete_preset(self, preset: int) -> None:
        """Remove a preset."""
        preset_rows.delete(self._db, preset)

    def services(self) -> list[Service]:
        """Remote services in the order in which they were added."""
        return service_rows.list_services(self._db)

    def save_service(
        self, name: str, url: str, model: str | None, has_key: bool, *, service: int | None = None
    ) -> Service:
        """Add a remote service, or change the one with the id `service`."""
        return service_rows.save(self._db, name, url, model, has_key, service)

    def delete_service(self, service: int) -> None:
        """Remove a remote service; its key in the keychain is the caller's to remove."""
        service_rows.delete(self._db, service)

    # Search and whole chats

    def search(self, query: str, limit: int = 200) -> list[Hit]:
        """Titles, then messages, that hold all words of any text; quotes make phrases, the last word may go on."""
        return searching.search(self._db, query, limit)

    def tree(self, chat: int) -> ChatTree:
        """A chat with all its messages and alternatives, as it is exported."""
        return trees.read_tree(self._db, chat)

    def add_trees(self, chats: Sequence[ChatTree]) -> list[int]:
        """Add whole chats, all or none, and return their ids."""
        return trees.add_trees(self._db, chats)

    def add_coming(self, chats: Sequence[ChatTree]) -> list[int]:
        """Add whole chats that nobody sees before `show_coming`, and return their ids. A start removes what is left."""
        return trees.add_coming(self._db, chats)

    def show_coming(self, chats: Sequence[ChatTree], added: Sequence[int]) -> None:
        """Have chats that `add_coming` added seen, all or none."""
        trees.show_coming(self._db, chats, added)

    def drop_coming(self, added: Sequence[int]) -> None:
        """Remove chats that `add_coming` added."""
        trees.drop_coming(self._db, added)
