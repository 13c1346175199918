"""The shapes of the chats' file, oldest first. A step is never changed once it was released: a new one is appended.

`parent < id` keeps messages a tree whatever happens to a row. `chosen` is the child that the current path goes on with,
`first` the first message that it begins with: so every message remembers its last used descendant. The columns before
`text` fit into a row's first page, so that a path is found without reading texts. `edits` has, under a message's id,
what stands in its editor while it is changed.
"""

from __future__ import annotations

import sqlite3

APPLICATION = 0x46414C43  # in the file's header: these are Falconet's chats

_CHATS = (
    """CREATE TABLE folders (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        position INTEGER NOT NULL
    )""",
    """CREATE TABLE chats (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        title TEXT NOT NULL DEFAULT '',
        titled_by_user INTEGER NOT NULL DEFAULT 0,
        created REAL NOT NULL,
        updated REAL NOT NULL,
        folder INTEGER REFERENCES folders (id) ON DELETE SET NULL,
        pinned INTEGER NOT NULL DEFAULT 0,
        archived INTEGER NOT NULL DEFAULT 0,
        deleted REAL,
        first INTEGER,
        model TEXT,
        options TEXT NOT NULL DEFAULT '{}',
        system_prompt TEXT NOT NULL DEFAULT '',
        draft TEXT NOT NULL DEFAULT ''
    )""",
    "CREATE INDEX chats_by_folder ON chats (folder)",
    """CREATE TABLE messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        chat INTEGER NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
        parent INTEGER REFERENCES messages (id) DEFERRABLE INITIALLY DEFERRED CHECK (parent < id),
        chosen INTEGER,
        role TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
        state TEXT NOT NULL CHECK (state IN ('complete', 'streaming', 'interrupted', 'failed')),
        created REAL NOT NULL,
        model TEXT,
        figures TEXT,
        dropped TEXT,
        error TEXT,
        text TEXT NOT NULL
    )""",
    "CREATE INDEX messages_by_chat ON messages (chat, id)",
    "CREATE INDEX messages_by_parent ON messages (parent)",
    "CREATE INDEX messages_being_written ON messages (state) WHERE state = 'streaming'",
    """CREATE TABLE presets (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        system_prompt TEXT NOT NULL,
        options TEXT NOT NULL
    )""",
)

_SERVICES = (
    """CREATE TABLE services (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        url TEXT NOT NULL,
        model TEXT,
        has_key INTEGER NOT NULL DEFAULT 0
    )""",
)

# Rows of the index: a message under its id, a chat's title under the negated id of the chat. `words` of
# desktop.store.words has already split the text at spaces, so every character that it kept belongs to a word. A message
# enters when it is no longer being written: each checkpoint of an answer would index all of it again. The index keeps
# no copy of the texts; whoever takes a row out names its old text, which the triggers do. Texts go to `words` as bytes,
# as those of a damaged row may be no UTF-8.
_SEARCH = (
    """CREATE VIRTUAL TABLE search USING fts5 (
        text, content='', prefix='1 2', tokenize="unicode61 remove_diacritics 0 categories 'L* M* N* S* Co Cn'"
    )""",
    """CREATE TRIGGER message_added AFTER INSERT ON messages WHEN NEW.state <> 'streaming' BEGIN
        INSERT INTO search (rowid, text) VALUES (NEW.id, words(CAST(NEW.text AS BLOB)));
    END""",
    """CREATE TRIGGER message_changed AFTER UPDATE OF text, state ON messages
    WHEN OLD.text <> NEW.text OR (OLD.state = 'streaming') <> (NEW.state = 'streaming') BEGIN
        INSERT INTO search (search, rowid, text)
            SELECT 'delete', OLD.id, words(CAST(OLD.text AS BLOB)) WHERE OLD.state <> 'streaming';
        INSERT INTO search (rowid, text) SELECT NEW.id, words(CAST(NEW.text AS BLOB)) WHERE NEW.state <> 'streaming';
    END""",
    """CREATE TRIGGER message_removed AFTER DELETE ON messages WHEN OLD.state <> 'streaming' BEGIN
        INSERT INTO search (search, rowid, text) VALUES ('delete', OLD.id, words(CAST(OLD.text AS BLOB)));
    END""",
    """CREATE TRIGGER chat_added AFTER INSERT ON chats BEGIN
        INSERT INTO search (rowid, text) VALUES (-NEW.id, words(CAST(NEW.title AS BLOB)));
    END""",
    """CREATE TRIGGER chat_changed AFTER UPDATE OF title ON chats WHEN OLD.title <> NEW.title BEGIN
        INSERT INTO search (search, rowid, text) VALUES ('delete', -OLD.id, words(CAST(OLD.title AS BLOB)));
        INSERT INTO search (rowid, text) VALUES (-NEW.id, words(CAST(NEW.title AS BLOB)));
    END""",
    """CREATE TRIGGER chat_removed AFTER DELETE ON chats BEGIN
        INSERT INTO search (search, rowid, text) VALUES ('delete', -OLD.id, words(CAST(OLD.title AS BLOB)));
    END""",
)
_FILL_SEARCH = (
    "INSERT INTO search (rowid, text) SELECT id, words(CAST(text AS BLOB)) FROM messages WHERE state <> 'streaming'",
    "INSERT INTO search (rowid, text) SELECT -id, words(CAST(title AS BLOB)) FROM chats",
)

_EDITS = (
    """CREATE TABLE edits (
        id INTEGER PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
        text TEXT NOT NULL
    )""",
)

# What a model thought before its answer: no part of it, so the search does not know it. Rows from before hold no value
# here at all, which a rescue must know.
_REASONING = ("ALTER TABLE messages ADD COLUMN reasoning TEXT NOT NULL DEFAULT ''",)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_CHATS, _SERVICES, (*_SEARCH, *_FILL_SEARCH), _EDITS, _REASONING)
LATEST = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection, to: int = LATEST) -> None:
    """Bring a file to version `to`, each step in one transaction of its own.

    A step that fails leaves the file at the version before it. Raises sqlite3.Error.
    """
    version = version_of(connection)
    for number in range(version + 1, to + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in MIGRATIONS[number - 1]:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def version_of(connection: sqlite3.Connection) -> int:
    """The number of steps that a file has taken; 0 for a new one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def rebuild_search(connection: sqlite3.Connection) -> None:
    """Make the search index anew from chats and messages, within the caller's transaction."""
    connection.execute("DROP TABLE search")
    connection.execute(_SEARCH[0])
    for statement in _FILL_SEARCH:
        connection.execute(statement)
