"""Messages in the database: a tree a chat, and the path through it that is shown."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from desktop.store.coding import record_from_json, record_to_json
from desktop.store.database import Database
from desktop.store.errors import StoreError
from desktop.store.records import Dropped, Figures, MessageState, Step, StoredMessage
from desktop.store.words import clean

_ANCESTORS = """
    WITH RECURSIVE up (id, parent, chosen) AS (
        SELECT id, parent, chosen FROM messages WHERE id = ?
        UNION ALL SELECT m.id, m.parent, m.chosen FROM up JOIN messages AS m ON m.id = up.parent
    ) SELECT id, parent, chosen FROM up
"""


def path(db: Database, chat: int) -> list[Step]:
    """The current path, from the first message to the last, each with its place among its alternatives."""

    def query(connection: sqlite3.Connection) -> list[Step]:
        outline = connection.execute("SELECT id, parent, chosen FROM messages WHERE chat = ? ORDER BY id", (chat,))
        chosen: dict[int | None, int | None] = {}
        children: defaultdict[int | None, list[int]] = defaultdict(list)
        for message, parent, chosen_child in outline:
            children[parent].append(message)
            chosen[message] = chosen_child
        first = connection.execute("SELECT first FROM chats WHERE id = ?", (chat,)).fetchone()
        chosen[None] = first[0] if first else None
        steps = [(at, siblings.index(at), len(siblings)) for at, siblings in follow(children, chosen)]
        found = {message.id: message for message in _fetch(connection, [step[0] for step in steps])}
        return [Step(message=found[message], index=index, count=count) for message, index, count in steps]

    return db.read(query)


def follow(
    children: Mapping[int | None, Sequence[int]], chosen: Mapping[int | None, int | None]
) -> Iterator[tuple[int, Sequence[int]]]:
    """The current path: each message with its alternatives, oldest first. Of children, those of None the first
    messages, the `chosen` one is taken, and the newest where none is."""
    at: int | None = None
    while siblings := children.get(at):
        wanted = chosen.get(at)
        message = siblings[-1] if wanted is None or wanted not in siblings else wanted
        yield message, siblings
        at = message


def add(
    db: Database,
    chat: int,
    parent: int | None,
    role: Literal["user", "assistant"],
    text: str,
    state: MessageState,
    model: str | None,
) -> StoredMessage:
    """Append a message to the tree; the current path ends with it."""

    def work(connection: sqlite3.Connection) -> StoredMessage:
        now = time.time()
        if parent is not None and _chat_of(connection, parent) != chat:
            raise ValueError(f"message {parent} is not of chat {chat}")
        sql = "INSERT INTO messages (chat, parent, role, state, created, model, text) VALUES (?, ?, ?, ?, ?, ?, ?)"
        values = (chat, parent, role, state, now, model, clean(text))
        message = int(connection.execute(sql, values).lastrowid or 0)
        choose(connection, message, chat)
        connection.execute("UPDATE chats SET updated = ? WHERE id = ?", (now, chat))
        return _fetch(connection, [message])[0]

    return db.change(work, durable=state != "streaming")


def write(db: Database, message: int, text: str, reasoning: str | None) -> None:
    """Keep what an answer says so far; nothing happens where it is no longer being written."""
    sql = "UPDATE messages SET text = ?, reasoning = coalesce(?, reasoning) WHERE id = ? AND state = 'streaming'"
    thought = None if reasoning is None else clean(reasoning)
    db.change(lambda connection: connection.execute(sql, (clean(text), thought, message)), durable=False)


def finish(
    db: Database,
    message: int,
    text: str,
    state: MessageState,
    figures: Figures | None,
    dropped: Dropped | None,
    error: str | None,
    model: str | None,
    reasoning: str,
) -> StoredMessage:
    """Keep an answer's end; `model` None leaves who wrote it as it is."""

    def work(connection: sqlite3.Connection) -> StoredMessage:
        chat = _chat_of(connection, message)
        columns = "text = ?, state = ?, figures = ?, dropped = ?, error = ?, model = coalesce(?, model), reasoning = ?"
        told = (record_to_json(figures), record_to_json(dropped), error, model, clean(reasoning))
        connection.execute(f"UPDATE messages SET {columns} WHERE id = ?", (clean(text), state, *told, message))
        connection.execute("UPDATE chats SET updated = ? WHERE id = ?", (time.time(), chat))
        return _fetch(connection, [message])[0]

    return db.change(work)


def resume(db: Database, message: int) -> StoredMessage:
    """Mark an answer as being written again, from where it ended."""

    def work(connection: sqlite3.Connection) -> StoredMessage:
        _chat_of(connection, message)
        sql = "UPDATE messages SET state = 'streaming', figures = NULL, dropped = NULL, error = NULL WHERE id = ?"
        connection.execute(sql, (message,))
        return _fetch(connection, [message])[0]

    return db.change(work, durable=False)


def select(db: Database, message: int) -> None:
    """Lead the current path through a message, and on as it last went on from there."""
    db.change(lambda connection: choose(connection, message, _chat_of(connection, message)), durable=False)


def alternatives(db: Database, message: int) -> list[int]:
    """The ids of a message and its siblings, oldest first."""

    def query(connection: sqlite3.Connection) -> list[int]:
        chat = _chat_of(connection, message)
        sql = """SELECT id FROM messages WHERE chat = ?
            AND parent IS (SELECT parent FROM messages WHERE id = ?) ORDER BY id"""
        return [row[0] for row in connection.execute(sql, (chat, message))]

    return db.read(query)


def set_edit(db: Database, message: int, text: str | None) -> None:
    """Keep what stands in a message's editor, None where that was closed; nothing happens where the message is gone."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM edits WHERE id = ?", (message,))
        if text is not None:
            connection.execute("INSERT INTO edits SELECT id, ? FROM messages WHERE id = ?", (clean(text), message))

    db.change(work, durable=False)


def edits(db: Database, chat: int) -> dict[int, str]:
    """What stands in editors of a chat, by message."""
    sql = "SELECT edits.id, edits.text FROM edits JOIN messages USING (id) WHERE messages.chat = ?"
    return {row[0]: row[1] for row in db.rows(sql, chat)}


def interrupt_streaming(db: Database) -> None:
    """Mark what was being written when the program ended."""
    if db.rows("SELECT 1 FROM messages WHERE state = 'streaming' LIMIT 1"):
        sql = "UPDATE messages SET state = 'interrupted' WHERE state = 'streaming'"
        db.change(lambda connection: connection.execute(sql))


def choose(connection: sqlite3.Connection, message: int, chat: int) -> None:
    """Lead the path to a message, within the caller's transaction: only links that differ are written."""
    links: list[tuple[int, int]] = []
    child, first = message, message
    for at, _, chosen in connection.execute(_ANCESTORS, (message,)).fetchall():
        if at != message and chosen != child:
            links.append((child, at))
        child = first = at
    connection.executemany("UPDATE messages SET chosen = ? WHERE id = ?", links)
    connection.execute("UPDATE chats SET first = ? WHERE id = ? AND first IS NOT ?", (first, chat, first))


def _chat_of(connection: sqlite3.Connection, message: int) -> int:
    row = connection.execute("SELECT chat FROM messages WHERE id = ?", (message,)).fetchone()
    if row is None:
        raise StoreError("This message is no longer there; open the chat again.")
    return int(row[0])


def _fetch(connection: sqlite3.Connection, messages: Iterable[int]) -> list[StoredMessage]:
    sql = "SELECT * FROM messages WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"
    return [to_message(row) for row in connection.execute(sql, (json.dumps(list(messages)),))]


def to_message(row: sqlite3.Row) -> StoredMessage:
    """A row of `messages` as a record."""
    return StoredMessage(
        id=row["id"],
        chat=row["chat"],
        parent=row["parent"],
        role=row["role"],
        text=row["text"],
        state=row["state"],
        created=row["created"],
        model=row["model"],
        figures=record_from_json(Figures, row["figures"]),
        dropped=record_from_json(Dropped, row["dropped"]),
        error=row["error"],
        reasoning=row["reasoning"],
    )
