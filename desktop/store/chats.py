"""Chats and their folders in the database: each function is one transaction."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence

from desktop.store.coding import options_from_json, options_to_json
from desktop.store.database import Database
from desktop.store.errors import StoreError
from desktop.store.records import Chat, DeletedChat, Folder
from desktop.store.words import clean
from runtime import GenerationOptions

KEPT_SECONDS = 30 * 24 * 3600  # a deleted chat can be had back for this long
COMING = 1.0  # "deleted" of a chat whose import goes on: seen nowhere, and removed at the next start if it never ends


def new_chat(
    db: Database, folder: int | None, system_prompt: str, options: GenerationOptions, model: str | None
) -> Chat:
    """Add an empty chat."""

    def work(connection: sqlite3.Connection) -> sqlite3.Row:
        now = time.time()
        values = (now, now, folder, clean(system_prompt), options_to_json(options), model)
        sql = "INSERT INTO chats (created, updated, folder, system_prompt, options, model) VALUES (?, ?, ?, ?, ?, ?)"
        return get_row(connection, int(connection.execute(sql, values).lastrowid or 0))

    return to_chat(db.change(work))


def get(db: Database, chat: int) -> Chat:
    """One chat, deleted or not. Raises StoreError where it is gone for good."""
    return to_chat(db.read(lambda connection: get_row(connection, chat)))


def set_title(db: Database, chat: int, title: str, *, by_user: bool) -> Chat:
    """Name a chat. The user's own title is only replaced by the user; an empty one lets a chat be named again."""
    title = " ".join(clean(title).split())
    guard = "" if by_user else " AND NOT titled_by_user"

    def work(connection: sqlite3.Connection) -> sqlite3.Row:
        sql = f"UPDATE chats SET title = ?, titled_by_user = ? WHERE id = ?{guard}"
        connection.execute(sql, (title, int(by_user and bool(title)), chat))
        return get_row(connection, chat)

    return to_chat(db.change(work))


def set_column(db: Database, chats: Sequence[int], column: str, value: object, *, durable: bool = True) -> None:
    """Set one column of several chats."""

    value = clean(value) if isinstance(value, str) else value

    def work(connection: sqlite3.Connection) -> None:
        connection.executemany(f"UPDATE chats SET {column} = ? WHERE id = ?", [(value, chat) for chat in chats])

    db.change(work, durable=durable)


def rename_model(db: Database, old: str, new: str) -> None:
    """Of all chats that have the model `old`, hidden ones too."""
    db.change(lambda connection: connection.execute("UPDATE chats SET model = ? WHERE model = ?", (clean(new), old)))


def set_options(db: Database, chat: int, options: GenerationOptions) -> None:
    """Keep a chat's options, and of the earlier ones what only a newer program knows."""

    def work(connection: sqlite3.Connection) -> None:
        text = options_to_json(options, get_row(connection, chat)["options"])
        connection.execute("UPDATE chats SET options = ? WHERE id = ?", (text, chat))

    db.change(work)


def list_deleted(db: Database) -> list[DeletedChat]:
    """Chats that are deleted and can be had back, the last one first."""
    kept = "typeof(deleted) IN ('real', 'integer') AND deleted != ?"
    rows = db.rows(f"SELECT * FROM chats WHERE {kept} ORDER BY deleted DESC, id DESC", COMING)
    return [DeletedChat(chat=to_chat(row), kept_until=row["deleted"] + KEPT_SECONDS) for row in rows]


def remove(db: Database, chats: Sequence[int]) -> None:
    """Remove for good those of `chats` that are deleted."""

    def work(connection: sqlite3.Connection) -> None:
        connection.executemany("DELETE FROM chats WHERE id = ? AND deleted IS NOT NULL", [(chat,) for chat in chats])

    db.change(work)
    # The index only marks words as gone until its parts are merged.
    db.change(lambda connection: connection.execute("INSERT INTO search (search) VALUES ('optimize')"))


def purge(db: Database, now: float) -> None:
    """Remove for good what was deleted more than KEPT_SECONDS ago."""
    if old := db.rows("SELECT id FROM chats WHERE deleted < ?", now - KEPT_SECONDS):
        remove(db, [row["id"] for row in old])


def list_folders(db: Database) -> list[Folder]:
    """Folders in the user's order."""
    return [Folder(**dict(row)) for row in db.rows("SELECT id, name, position FROM folders ORDER BY position, id")]


def new_folder(db: Database, name: str) -> Folder:
    """Add a folder after the others."""

    def work(connection: sqlite3.Connection) -> Folder:
        return add_folder(connection, name)

    return db.change(work)


def add_folder(connection: sqlite3.Connection, name: str) -> Folder:
    """Add a folder after the others, within the caller's transaction."""
    position = int(connection.execute("SELECT coalesce(max(position) + 1, 0) FROM folders").fetchone()[0])
    sql = "INSERT INTO folders (name, position) VALUES (?, ?)"
    made = connection.execute(sql, (clean(name), position)).lastrowid
    return Folder(id=int(made or 0), name=clean(name), position=position)


def rename_folder(db: Database, folder: int, name: str) -> None:
    """Name a folder."""
    db.change(lambda connection: connection.execute("UPDATE folders SET name = ? WHERE id = ?", (clean(name), folder)))


def order_folders(db: Database, folders: Sequence[int]) -> None:
    """Put folders into the given order."""

    def work(connection: sqlite3.Connection) -> None:
        connection.executemany("UPDATE folders SET position = ? WHERE id = ?", list(enumerate(folders)))

    db.change(work)


def delete_folder(db: Database, folder: int) -> None:
    """Remove a folder; its chats move out of it."""
    db.change(lambda connection: connection.execute("DELETE FROM folders WHERE id = ?", (folder,)))


def get_row(connection: sqlite3.Connection, chat: int) -> sqlite3.Row:
    """A chat's row. Raises StoreError where there is none."""
    row: sqlite3.Row | None = connection.execute("SELECT * FROM chats WHERE id = ?", (chat,)).fetchone()
    if row is None:
        raise StoreError("This chat was deleted for good; choose another one.")
    return row


def to_chat(row: sqlite3.Row) -> Chat:
    """A row of `chats` as a record."""
    return Chat(
        id=row["id"],
        title=row["title"],
        titled_by_user=bool(row["titled_by_user"]),
        created=row["created"],
        updated=row["updated"],
        folder=row["folder"],
        pinned=bool(row["pinned"]),
        archived=bool(row["archived"]),
        system_prompt=row["system_prompt"],
        options=options_from_json(row["options"]),
        draft=row["draft"],
        model=row["model"],
    )
