"""Database: one connection to the chats' file, changes as transactions, errors as sentences.

A committed change survives a kill of the program: it is in the system's hands by then. `durable` changes, which are all
but drafts, edits, chosen paths and what an answer says while it streams, also wait until the system says that the disk
has them, which is as much as a power cut leaves; macOS says so before the drive's own cache is written, and then the
last changes can be missing. The file itself stays sound in every case.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from desktop.store.errors import explain, is_damage
from desktop.store.migrations import rebuild_search
from desktop.store.words import words

T = TypeVar("T")

PAGE_SIZE = 4096  # bytes; SQLite's default, named because rescue reads pages by itself
_BUSY_MS = 5000
_JOURNAL_BYTES = 4 << 20  # what stays of the write-ahead log between checkpoints


def connect(file: Path) -> sqlite3.Connection:
    """A connection with everything set that a session needs, not yet checked or upgraded. Raises sqlite3.Error."""
    make_private(file)
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        connection.row_factory = sqlite3.Row
        connection.text_factory = _text
        connection.create_function("words", 1, lambda text: words(_text(text)), deterministic=True)
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        connection.execute("PRAGMA trusted_schema = ON")  # triggers call `words`
        connection.execute("PRAGMA foreign_keys = ON")
        # What was deleted is gone from the disk, and a rescue finds no row that was deleted before.
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_BYTES}")
        connection.execute("PRAGMA synchronous = FULL")
        # The log is used again once the file has what it held: for that a Mac's drive must not only have said so.
        connection.execute("PRAGMA checkpoint_fullfsync = ON")
        connection.execute("PRAGMA cache_size = -16000")
        connection.execute("PRAGMA temp_store = MEMORY")  # for the little that desktop.store.listing notes
    except BaseException:
        connection.close()
        raise
    return connection


def make_private(file: Path) -> None:
    """Make an empty file that only its user can read, where there is none: what SQLite puts beside it is as private."""
    with contextlib.suppress(OSError):  # SQLite meets it again, and says so
        os.close(os.open(file, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _text(data: bytes) -> str:
    """A text of the file; bytes that were damaged show as U+FFFD and keep nobody from the rest."""
    return data.decode("utf-8", errors="replace")


class Database:
    """The chats' file, open. Used by one thread; each call is one transaction or none."""

    def __init__(self, connection: sqlite3.Connection, file: Path) -> None:
        self.connection = connection
        self.file = file

    @property
    def damage_mark(self) -> Path:
        """A file that says: check everything at the next start, however large the chats are."""
        return self.file.with_suffix(".damaged")

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """What `query` reads, at one moment. Raises StoreError."""
        return self._run(query, "BEGIN")

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """The rows of one SELECT. Raises StoreError."""
        return self.read(lambda connection: connection.execute(sql, values).fetchall())

    def change(self, work: Callable[[sqlite3.Connection], T], *, durable: bool = True) -> T:
        """Do `work` in a transaction: all of it is committed on return, or nothing. Raises StoreError.

        `work` may be called a second time, where the search index was found damaged and made anew.
        """
        self.connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        return self._run(work, "BEGIN IMMEDIATE")

    def close(self) -> None:
        """Bring the log into the file and close. What cannot be brought in stays in the log and is not lost."""
        with contextlib.suppress(sqlite3.Error):
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.connection.close()

    def _run(self, work: Callable[[sqlite3.Connection], T], begin: str) -> T:
        try:
            return self._transaction(work, begin)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                self._raise_sentence(error)
                raise
            return self._mended(work, begin)

    def _mended(self, work: Callable[[sqlite3.Connection], T], begin: str) -> T:
        """Damage may be the index's alone, which can be made again: make it, and do the work once more."""
        try:
            self._transaction(rebuild_search, "BEGIN IMMEDIATE")
            return self._transaction(work, begin)
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                with contextlib.suppress(OSError):  # the next start checks all files but very large ones anyway
                    self.damage_mark.touch()
            self._raise_sentence(error)
            raise

    def _transaction(self, work: Callable[[sqlite3.Connection], T], begin: str) -> T:
        self.connection.execute(begin)
        try:
            result = work(self.connection)
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:  # a full disk ends a transaction by itself
                self.connection.execute("ROLLBACK")
            raise
        return result

    def _raise_sentence(self, error: sqlite3.Error) -> None:
        sentence = explain(error, self.file)
        if sentence is not None:
            raise sentence from error
