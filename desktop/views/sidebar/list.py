"""ChatList: the rows as a list that keys, mouse and a screen reader can work with."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QEvent, QItemSelectionModel, QModelIndex, QPersistentModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QKeySequence, QMouseEvent
from PySide6.QtWidgets import QAbstractItemView, QFrame, QListView, QMenu, QWidget

from desktop.store.records import Chat, Folder
from desktop.views.sidebar.delegate import ChatDelegate
from desktop.views.sidebar.model import ChatListModel
from desktop.views.sidebar.rows import ChatRow, HeaderRow, Row
from desktop.views.theme import theme


class ChatList(QListView):
    """One chat chosen is opened; several chosen can be acted on together."""

    chatSelected = Signal(int)
    entered = Signal()  # the user is done choosing, by a click or Enter: what is typed next is for the chat
    renameRequested = Signal(int, str)
    pinRequested = Signal(object, bool)  # ids of chats
    archiveRequested = Signal(object, bool)
    deleteRequested = Signal(object)
    undoRequested = Signal()
    moveRequested = Signal(object, object)  # ids of chats, id of a folder or None
    moveToNewFolderRequested = Signal(object)
    exportRequested = Signal(object)
    exportFolderRequested = Signal(int)
    foldRequested = Signal(int)  # a folder
    renameFolderRequested = Signal(int)
    deleteFolderRequested = Signal(int)
    newChatRequested = Signal(object)  # id of a folder

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = ChatListModel()
        self._folders: Sequence[Folder] = ()
        self._shown: int | None = None
        self._is_changing = False  # the rows are: what then leaves the selection was not chosen by anybody
        self.setModel(self.rows)
        self.setItemDelegate(ChatDelegate(self))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setAttribute(Qt.WidgetAttribute.WA_MacShowFocusRect, False)  # the delegate shows it
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.viewport().setAutoFillBackground(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        triggers = QAbstractItemView.EditTrigger
        self.setEditTriggers(triggers.EditKeyPressed | triggers.DoubleClicked)  # one click has opened the chat already
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragDrop)
        self.setDefaultDropAction(Qt.DropAction.MoveAction)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.rows.renameRequested.connect(self.renameRequested)
        self.rows.moveRequested.connect(self.moveRequested)
        self.selectionModel().selectionChanged.connect(self._on_selection)
        theme().changed.connect(self.scheduleDelayedItemsLayout)

    def set_rows(self, rows: Sequence[Row], folders: Sequence[Folder]) -> None:
        """Show `rows`. What is chosen and where it was scrolled to stays."""
        self._folders = folders
        self._is_changing = True
        try:
            self.rows.set_rows(rows)
        finally:
            self._is_changing = False

    def set_current(self, chat: int | None) -> None:
        """Mark the chat that the window shows, without opening it again. Several that are chosen stay so while it is
        the same one."""
        parts = self.selectionModel().selection()  # one where all of thousands are chosen
        chosen = sum(parts.at(nth).height() for nth in range(parts.count()))
        if chat != self._shown or chosen < 2:
            self._mark(chat)

    def _mark(self, chat: int | None) -> None:
        self._shown = chat
        place = None if chat is None else self.rows.place_of(chat)
        selection = self.selectionModel()
        if place is None:
            selection.clear()
        elif self.selected() != [chat]:
            index = self.rows.index(place)
            selection.setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)
            self.scrollTo(index)

    def selected(self) -> list[int]:
        """Ids of the chats that are chosen, from the top."""
        places = sorted(index.row() for index in self.selectionModel().selectedIndexes())
        return [row.chat.id for place in places if isinstance(row := self.rows.rows[place], ChatRow)]

    def step(self, by: int) -> None:
        """Open the chat that is so many below the one that is shown."""
        chats = [row.chat.id for row in self.rows.rows if isinstance(row, ChatRow)]
        if not chats:
            return
        at = chats.index(self._shown) + by if self._shown in chats else 0
        if 0 <= at < len(chats):
            self.chatSelected.emit(chats[at])

    def edit_title(self, chat: int) -> None:
        """Have the user write another title where the old one stands."""
        place = self.rows.place_of(chat)
        if place is not None:
            self.edit(self.rows.index(place))

    def menu_for(self, chats: Sequence[Chat]) -> QMenu:
        """What can be done with these chats."""
        ids = [chat.id for chat in chats]
        menu = QMenu(self)
        if len(chats) == 1:
            menu.addAction(self.tr("Rename"), lambda: self.edit_title(ids[0]))
        pinned = all(chat.pinned for chat in chats)
        menu.addAction(self.tr("Unpin") if pinned else self.tr("Pin"), lambda: self.pinRequested.emit(ids, not pinned))
        move = menu.addMenu(self.tr("Move to"))
        for folder in self._folders:
            move.addAction(folder.name.replace("&", "&&"), partial(self.moveRequested.emit, ids, folder.id))
        if any(chat.folder is not None for chat in chats):
            move.addAction(self.tr("No folder"), lambda: self.moveRequested.emit(ids, None))
        move.addSeparator()
        move.addAction(self.tr("New folder…"), lambda: self.moveToNewFolderRequested.emit(ids))
        menu.addAction(self.tr("Export…"), lambda: self.exportRequested.emit(ids))
        menu.addSeparator()
        archived = all(chat.archived for chat in chats)
        menu.addAction(
            self.tr("Back to the list") if archived else self.tr("Archive"),
            lambda: self.archiveRequested.emit(ids, not archived),
        )
        menu.addAction(self.tr("Delete"), lambda: self.deleteRequested.emit(ids))
        return menu

    def folder_menu(self, folder: Folder, count: int = 0) -> QMenu:
        """What can be done with a folder of so many chats."""
        menu = QMenu(self)
        menu.addAction(self.tr("New chat here"), lambda: self.newChatRequested.emit(folder.id))
        menu.addAction(self.tr("Rename folder…"), lambda: self.renameFolderRequested.emit(folder.id))
        if count:
            menu.addAction(self.tr("Export…"), lambda: self.exportFolderRequested.emit(folder.id))
        menu.addAction(self.tr("Delete folder, keep its chats"), lambda: self.deleteFolderRequested.emit(folder.id))
        return menu

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        by_mouse = event.reason() == QContextMenuEvent.Reason.Mouse
        index = self.indexAt(event.pos()) if by_mouse else self.currentIndex()
        if index.isValid():
            menu = self._menu_at(index)
            where = event.globalPos() if by_mouse else self.viewport().mapToGlobal(self.visualRect(index).bottomLeft())
            self._open(menu, where)

    def selectionCommand(
        self, index: QModelIndex | QPersistentModelIndex, event: QEvent | None = None
    ) -> QItemSelectionModel.SelectionFlag:
        """A click beside all chats, or on a header, leaves marked what is: the chat is still shown."""
        presses = (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonRelease)
        if event is not None and event.type() in presses and not self._is_chat(index):
            return QItemSelectionModel.SelectionFlag.NoUpdate
        return super().selectionCommand(index, event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        dragged = self.state() == self.State.DragSelectingState
        super().mouseReleaseEvent(event)
        index = self.indexAt(event.position().toPoint())
        if event.button() == Qt.MouseButton.LeftButton and not index.isValid():
            if not dragged:
                self._mark(self._shown)  # where several were chosen they no longer are
        elif event.button() == Qt.MouseButton.LeftButton:
            self._fold(index)
            alone = event.modifiers() == Qt.KeyboardModifier.NoModifier and len(self.selected()) == 1
            if alone and self.state() != self.State.EditingState and self._is_chat(index):
                self.entered.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        index = self.currentIndex()
        if event.matches(QKeySequence.StandardKey.Undo):
            self.undoRequested.emit()
            return
        match event.key():
            case Qt.Key.Key_Delete | Qt.Key.Key_Backspace if self.selected() and self._is_chat(index):
                self.deleteRequested.emit(self.selected())
            case Qt.Key.Key_Return | Qt.Key.Key_Enter if index.isValid() and self.state() != self.State.EditingState:
                self._fold(index)
                if len(self.selected()) == 1 and self._is_chat(index):
                    self.chatSelected.emit(self.selected()[0])
                    self.entered.emit()
            case _:
                super().keyPressEvent(event)

    def _is_chat(self, index: QModelIndex | QPersistentModelIndex) -> bool:
        return index.isValid() and isinstance(self.rows.rows[index.row()], ChatRow)

    def _menu_at(self, index: QModelIndex) -> QMenu:
        row = self.rows.rows[index.row()]
        if isinstance(row, HeaderRow):
            return self.folder_menu(row.folder, row.count) if row.folder is not None else QMenu(self)
        ids = set(self.selected())
        if row.chat.id not in ids:
            ids = {row.chat.id}
        chats = [other.chat for other in self.rows.rows if isinstance(other, ChatRow) and other.chat.id in ids]
        return self.menu_for(chats)

    def _open(self, menu: QMenu, where: QPoint) -> None:
        if menu.isEmpty():
            menu.deleteLater()
            return
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(where)

    def _fold(self, index: QModelIndex) -> None:
        row = self.rows.rows[index.row()]
        if isinstance(row, HeaderRow) and row.folder is not None:
            self.foldRequested.emit(row.folder.id)

    def _on_selection(self) -> None:
        chosen = [] if self._is_changing else self.selected()
        if len(chosen) == 1 and chosen[0] != self._shown:
            self._shown = chosen[0]
            self.chatSelected.emit(chosen[0])
