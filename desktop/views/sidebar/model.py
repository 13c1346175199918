"""ChatListModel: the rows for Qt, changed exactly, so that selection and scroll position stay what they were."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QCoreApplication,
    QMimeData,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    Signal,
)

from desktop.views.parts import tip
from desktop.views.sidebar.rows import ChatRow, HeaderRow, Row, Span

MIME = "application/x-falconet-chats"
RowRole = Qt.ItemDataRole.UserRole
_Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()


class ChatListModel(QAbstractListModel):
    """A chat's title can be edited and dragged onto a folder: both are intents, and nothing changes by themselves."""

    renameRequested = Signal(int, str)  # chat, title
    moveRequested = Signal(object, object)  # ids of chats, id of a folder or None

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Row] = []

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Become `rows` by removing, moving and inserting no more than what differs."""
        first, last = _same(self.rows, rows)
        before, after = self.rows[first : len(self.rows) - last], rows[first : len(rows) - last]
        wanted, had = {row.key for row in after}, {row.key for row in before}
        for start, end in reversed(_runs([row.key not in wanted for row in before])):
            self.beginRemoveRows(_ROOT, first + start, first + end - 1)
            del self.rows[first + start : first + end]
            self.endRemoveRows()
        self._reorder(first, [row.key for row in after if row.key in had])
        for start, end in _runs([row.key not in had for row in after]):
            self.beginInsertRows(_ROOT, first + start, first + end - 1)
            self.rows[first + start : first + start] = after[start:end]
            self.endInsertRows()
        for place, row in enumerate(after, first):
            if self.rows[place] != row:
                self.rows[place] = row
                self.dataChanged.emit(self.index(place), self.index(place))

    def place_of(self, chat: int) -> int | None:
        """The row of a chat; None where it is not shown."""
        for place, row in enumerate(self.rows):
            if isinstance(row, ChatRow) and row.chat.id == chat:
                return place
        return None

    def rowCount(self, parent: _Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.rows)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self.rows[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.EditRole:
                return text_of(row)
            case Qt.ItemDataRole.ToolTipRole if isinstance(row, ChatRow):
                return tip(text_of(row))
            case Qt.ItemDataRole.AccessibleTextRole:
                return spoken(row)
            case Qt.ItemDataRole.UserRole:
                return row
        return None

    def setData(self, index: _Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        row = self.rows[index.row()]
        title = " ".join(str(value).split())
        if role == Qt.ItemDataRole.EditRole and isinstance(row, ChatRow) and title and title != text_of(row):
            self.renameRequested.emit(row.chat.id, title)
        return False  # the store decides; the row changes when it has

    def flags(self, index: _Index) -> Qt.ItemFlag:
        flags = Qt.ItemFlag.ItemIsEnabled
        if not index.isValid():
            return Qt.ItemFlag.ItemIsDropEnabled
        if isinstance(self.rows[index.row()], ChatRow):
            return flags | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEditable | Qt.ItemFlag.ItemIsDragEnabled
        return flags | Qt.ItemFlag.ItemIsDropEnabled

    def supportedDropActions(self) -> Qt.DropAction:
        return Qt.DropAction.MoveAction

    def mimeTypes(self) -> list[str]:
        return [MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        ids = [row.chat.id for index in indexes if isinstance(row := self.rows[index.row()], ChatRow)]
        data = QMimeData()
        data.setData(MIME, ",".join(map(str, ids)).encode())
        return data

    def dropMimeData(self, data: QMimeData, _action: Qt.DropAction, _row: int, _column: int, parent: _Index) -> bool:
        if not data.hasFormat(MIME):
            return False
        ids = [int(text) for text in bytes(data.data(MIME).data()).decode().split(",") if text]
        target = self.rows[parent.row()] if parent.isValid() else None
        if isinstance(target, ChatRow):
            return False
        self.moveRequested.emit(ids, target.folder.id if target is not None and target.folder is not None else None)
        return False  # True would have the view remove the rows that were dragged

    def retranslate(self) -> None:
        """Texts in the language of now."""
        if self.rows:
            self.dataChanged.emit(self.index(0), self.index(len(self.rows) - 1))

    def _reorder(self, first: int, keys: list[str]) -> None:
        """Have the rows from a place on in this order."""
        before = self.rows[first : first + len(keys)]
        if keys == [row.key for row in before]:
            return
        self.layoutAboutToBeChanged.emit()
        by_key = {row.key: row for row in before}
        place = {key: first + at for at, key in enumerate(keys)}
        old = self.persistentIndexList()
        old = [index for index in old if first <= index.row() < first + len(keys)]
        self.rows[first : first + len(keys)] = [by_key[key] for key in keys]
        self.changePersistentIndexList(old, [self.index(place[before[index.row() - first].key]) for index in old])
        self.layoutChanged.emit()


def _same(old: Sequence[Row], new: Sequence[Row]) -> tuple[int, int]:
    """How many rows at the beginning, and behind these at the end, are the same in both."""
    least = min(len(old), len(new))
    first = next((n for n in range(least) if not _is(old[n], new[n])), least)
    last = next((n for n in range(least - first) if not _is(old[-1 - n], new[-1 - n])), least - first)
    return first, last


def _is(one: Row, other: Row) -> bool:
    return one is other or one == other  # most are the same object, which is seen at once


def _runs(marks: Sequence[bool]) -> list[tuple[int, int]]:
    """From where to before where marks are set one after the other."""
    edges = [place for place, (one, other) in enumerate(pairwise([False, *marks, False])) if one != other]
    return list(zip(edges[::2], edges[1::2], strict=True))


def text_of(row: Row) -> str:
    """What stands in a row."""
    if isinstance(row, ChatRow):
        return row.chat.title or QCoreApplication.translate("Sidebar", "New chat")
    return row.folder.name if row.folder is not None else span_text(row.span)


def spoken(row: Row) -> str:
    """A row for a screen reader."""
    translate = QCoreApplication.translate
    text = text_of(row)
    if isinstance(row, HeaderRow):
        if row.folder is None:
            return text
        state = translate("Sidebar", "folded") if row.folded else translate("Sidebar", "unfolded")
        return translate("Sidebar", "Folder {name}, {state}").format(name=text, state=state)
    notes = [text]
    if row.chat.pinned:
        notes.append(translate("Sidebar", "pinned"))
    if row.writing:
        notes.append(translate("Sidebar", "an answer is being written"))
    elif row.chat.draft:
        notes.append(translate("Sidebar", "with a draft"))
    return ", ".join(notes)


def span_text(span: Span | None) -> str:
    """The header over a span of time."""
    translate = QCoreApplication.translate
    return {
        "pinned": translate("Sidebar", "Pinned"),
        "today": translate("Sidebar", "Today"),
        "yesterday": translate("Sidebar", "Yesterday"),
        "week": translate("Sidebar", "Last seven days"),
        "older": translate("Sidebar", "Older"),
        "archived": translate("Sidebar", "Archive"),
    }[span or "older"]
