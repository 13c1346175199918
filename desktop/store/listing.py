"""Listing: the chats of the list, read once; from then on only those that changed are read again."""

from __future__ import annotations

import sqlite3
from bisect import insort

from desktop.store.chats import to_chat
from desktop.store.database import Database
from desktop.store.records import Chat

_ALL = "SELECT * FROM chats WHERE deleted IS NULL AND archived = ? ORDER BY pinned DESC, updated DESC, id DESC"
_MOST = 500  # chats that changed; where more did, all are read
_TRACKED = (
    "CREATE TEMP TABLE changed (id INTEGER PRIMARY KEY)",
    *(
        f"CREATE TEMP TRIGGER chat_{event}_here AFTER {event} ON main.chats BEGIN"
        f" INSERT OR IGNORE INTO changed VALUES ({row}.id); END"
        for event, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD"))
    ),
)


class Listing:
    """Chats that are not deleted. One that did not change is the same object as before, so that whoever shows thousands
    sees at once which did."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._lists: dict[bool, list[Chat]] = {}  # of the archive and outside it, in their order
        self._version: int | None = None  # of the file; another connection's change gives it another one

    def chats(self, archived: bool) -> list[Chat]:
        """In the archive or outside it, pinned ones first, then the newest. Raises StoreError."""

        def query(connection: sqlite3.Connection) -> list[Chat]:
            self._take_changes(connection)
            if archived not in self._lists:
                self._lists[archived] = [to_chat(row) for row in connection.execute(_ALL, (int(archived),))]
            return list(self._lists[archived])

        return self._db.read(query)

    def _take_changes(self, connection: sqlite3.Connection) -> None:
        version = connection.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            if not connection.execute("SELECT count(*) FROM temp.sqlite_master").fetchone()[0]:
                for statement in _TRACKED:
                    connection.execute(statement)
            self._lists.clear()
        changed = {row["id"] for row in connection.execute("SELECT id FROM changed LIMIT ?", (_MOST,))}
        if len(changed) == _MOST:
            self._lists.clear()
        elif changed and self._lists:
            marks = ",".join("?" * len(changed))
            found = connection.execute(f"SELECT * FROM chats WHERE deleted IS NULL AND id IN ({marks})", tuple(changed))
            now = [to_chat(row) for row in found]
            for archived, chats in self._lists.items():
                chats[:] = [chat for chat in chats if chat.id not in changed]
                for chat in now:
                    if chat.archived == archived:
                        insort(chats, chat, key=_order)
        connection.execute("DELETE FROM changed")
        self._version = version


def _order(chat: Chat) -> tuple[bool, float, int]:
    """As in `_ALL`."""
    return not chat.pinned, -chat.updated, -chat.id
