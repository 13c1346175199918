"""ChatsController: the list of chats, between its sidebar and the store. What is deleted or archived can be undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QInputDialog, QWidget

from desktop.controllers.answers import Answers
from desktop.controllers.conversation import ConversationController
from desktop.store.records import Chat
from desktop.store.store import Store
from desktop.views.deleted_dialog import DeletedDialog
from desktop.views.models.asking import ask
from desktop.views.sidebar.rows import ChatRow, rows
from desktop.views.sidebar.sidebar import Sidebar


class ChatsController(QObject):
    """Makes the list anew whenever something may have changed it: of what did not, chats and rows are the same objects,
    so that ten thousand chats take some ten milliseconds."""

    exportRequested = Signal(object)  # ids of chats

    def __init__(
        self,
        store: Store,
        answers: Answers,
        conversation: ConversationController,
        sidebar: Sidebar,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store, self._answers = store, answers
        self._conversation, self._sidebar = conversation, sidebar
        self._archived = False
        self._known: dict[int, ChatRow] = {}  # rows of the list, by chat
        self._folded: set[int] = set()
        self._query = ""  # of the hits that the sidebar shows
        self._undo: Callable[[], None] | None = None
        chats = sidebar.list
        chats.chatSelected.connect(self.open)
        chats.renameRequested.connect(self.rename)
        chats.pinRequested.connect(self.pin)
        chats.archiveRequested.connect(self.archive)
        chats.deleteRequested.connect(self.delete)
        chats.moveRequested.connect(self.move)
        chats.moveToNewFolderRequested.connect(self.new_folder)
        chats.exportRequested.connect(self.exportRequested)
        chats.exportFolderRequested.connect(self._export_folder)
        chats.foldRequested.connect(self._fold)
        chats.renameFolderRequested.connect(self.rename_folder)
        chats.deleteFolderRequested.connect(self._delete_folder)
        sidebar.newChatRequested.connect(self.begin)
        sidebar.searchRequested.connect(self._search)
        sidebar.hitChosen.connect(self._open_hit)
        sidebar.archiveShown.connect(self._show_archive)
        sidebar.undoRequested.connect(self.take_back)
        conversation.listChanged.connect(self.refresh)
        conversation.opened.connect(self._opened)
        answers.began.connect(self.refresh)

    def refresh(self) -> None:
        """Draw the list as the store has it now."""
        chats = self._store.chats(archived=self._archived)
        writing = self._answers.chats()
        folders = self._store.folders()
        found = rows(chats, folders, folded=self._folded, writing=writing, archived=self._archived, known=self._known)
        self._known = {row.chat.id: row for row in found if isinstance(row, ChatRow)}
        self._sidebar.set_rows(found, folders)
        self._mark()

    def open(self, chat: int, message: int | None = None) -> None:
        """Show a chat, at a message where one is named."""
        self._conversation.open(chat, message)

    def open_first(self) -> None:
        """Show the chat that was used last, or a new one where there is none."""
        chats = self._store.chats()
        latest = max(chats, key=lambda chat: chat.updated, default=None)
        if latest is None:
            self._conversation.open_new()
        else:
            self._conversation.open(latest.id)
        self.refresh()

    def begin(self, folder: int | None = None) -> None:
        """Show a new chat."""
        self._conversation.open_new(folder=folder)
        self.refresh()

    def rename(self, chat: int, title: str) -> None:
        """Give a chat the user's title."""
        self._store.rename(chat, title)
        self._changed()

    def pin(self, chats: Sequence[int], pinned: bool) -> None:
        """Keep chats at the top, or no longer."""
        self._store.pin(chats, pinned)
        self._changed()

    def move(self, chats: Sequence[int], folder: int | None) -> None:
        """Put chats into a folder, or into none."""
        self._store.move(chats, folder)
        self._changed()

    def archive(self, chats: Sequence[int], archived: bool) -> None:
        """Put chats into the archive or take them out; that can be undone."""
        chats = list(chats)
        self._store.archive(chats, archived)
        self._can_undo(
            self.tr("%n chat(s) moved to the archive.", "", len(chats))
            if archived
            else self.tr("%n chat(s) moved back to the list.", "", len(chats)),
            lambda: self._store.archive(chats, not archived),
        )
        self._leave(chats)

    def delete(self, chats: Sequence[int]) -> None:
        """Delete chats; that can be undone. An answer that is being written in one is stopped."""
        chats = list(chats)
        for chat in chats:
            if (answer := self._answers.in_chat(chat)) is not None:
                self._answers.cancel(answer)
        self._store.delete(chats)
        self._can_undo(self.tr("%n chat(s) deleted.", "", len(chats)), lambda: self._store.undelete(chats))
        self._leave(chats)

    def show_deleted(self, window: QWidget) -> None:
        """Show what was deleted and can be had back, over `window`."""
        dialog = DeletedDialog(self._store.deleted_chats(), window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

        def restore(chats: list[int]) -> None:
            self._store.undelete(chats)
            self._changed()
            dialog.set_chats(self._store.deleted_chats())
            if chats:
                self.open(chats[0])

        def remove(chats: list[int]) -> None:
            ask(
                dialog,
                self.tr("Delete %n chat(s) for good?", "", len(chats)),
                detail=self.tr("This cannot be undone."),
                button=self.tr("Delete for Good"),
                action=lambda: removed(chats),
            )

        def removed(chats: list[int]) -> None:
            self._store.remove(chats)
            dialog.set_chats(self._store.deleted_chats())

        dialog.restoreRequested.connect(restore)
        dialog.removeRequested.connect(remove)
        dialog.open()

    def take_back(self) -> None:
        """Undo the last deletion or move to the archive, also when its sentence is gone."""
        undo, self._undo = self._undo, None
        self._sidebar.hide_undo()
        if undo is not None:
            undo()
            self._changed()

    def new_folder(self, chats: Sequence[int] = ()) -> None:
        """Ask for a folder's name, and put chats into it."""
        name = self._ask_name(self.tr("New Folder"), "")
        if name:
            folder = self._store.new_folder(name)
            if chats:
                self._store.move(chats, folder.id)
            self._changed()

    def rename_folder(self, folder: int) -> None:
        """Ask for a folder's other name."""
        old = next((found.name for found in self._store.folders() if found.id == folder), "")
        name = self._ask_name(self.tr("Rename Folder"), old)
        if name and name != old:
            self._store.rename_folder(folder, name)
            self._changed()

    def current(self) -> Chat | None:
        """The chat that is shown."""
        return self._conversation.chat

    def _ask_name(self, title: str, old: str) -> str:
        name, agreed = QInputDialog.getText(self._sidebar, title, self.tr("Name of the folder:"), text=old)
        return " ".join(name.split()) if agreed else ""

    def _delete_folder(self, folder: int) -> None:
        folders = self._store.folders()
        name = next((found.name for found in folders if found.id == folder), "")
        every = (*self._store.chats(), *self._store.chats(archived=True))
        chats = [chat.id for chat in every if chat.folder == folder]

        def undo() -> None:
            again = self._store.new_folder(name).id
            self._store.order_folders([again if found.id == folder else found.id for found in folders])
            self._store.move(chats, again)

        self._store.delete_folder(folder)
        self._can_undo(self.tr("The folder {name} was deleted.").format(name=name), undo)
        self._changed()

    def _export_folder(self, folder: int) -> None:
        chats = [chat.id for chat in self._store.chats(archived=self._archived) if chat.folder == folder]
        if chats:
            self.exportRequested.emit(chats)

    def _fold(self, folder: int) -> None:
        self._folded ^= {folder}
        self.refresh()

    def _open_hit(self, chat: int, message: int | None) -> None:
        self.open(chat, message)
        if message is not None:
            self._conversation.show_found(message, self._query)

    def _search(self, query: str) -> None:
        self._query = query
        self._conversation.hide_found()
        self._sidebar.set_hits(query, self._store.search(query))

    def _show_archive(self, shown: bool) -> None:
        self._archived = shown
        self.refresh()

    def _opened(self, _chat: Chat) -> None:
        self._mark()

    def _mark(self) -> None:
        chat = self._conversation.chat
        self._sidebar.set_current(None if chat is None else chat.id)

    def _changed(self) -> None:
        self._conversation.refresh()
        self.refresh()

    def _can_undo(self, sentence: str, undo: Callable[[], None]) -> None:
        self._undo = undo
        self._sidebar.show_undo(sentence)

    def _leave(self, chats: Sequence[int]) -> None:
        """Show another chat where the one that is shown left the list."""
        shown = self._conversation.chat
        if shown is not None and shown.id in chats:
            self.open_first()
        else:
            self.refresh()
