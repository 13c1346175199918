"""Who uses the chats: any number of programs together, or one alone while it makes, upgrades or rescues the file."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

_ALONE_SECONDS, _SHARED_SECONDS = 0.2, 30.0  # the others' upgrade is waited for, others who chat are not


class UseLock:
    """A lock beside the chats' file that the system lets go when its program ends, however it ends.

    It is SQLite's own lock on an empty database: the same on every system, and no other package is needed.
    """

    def __init__(self, file: Path) -> None:
        """Raises sqlite3.Error where the file cannot be made."""
        self._connection = sqlite3.connect(file, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = MEMORY")  # nothing is written, so a full disk is no matter

    def try_alone(self) -> bool:
        """Take the lock for this program alone; False where another program has it."""
        self.release()
        self._connection.execute(f"PRAGMA busy_timeout = {int(1000 * _ALONE_SECONDS)}")
        try:
            self._connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            return False
        return True

    def share(self) -> None:
        """Take the lock together with others, once nobody has it alone. Raises sqlite3.OperationalError after 30 s."""
        self.release()
        self._connection.execute(f"PRAGMA busy_timeout = {int(1000 * _SHARED_SECONDS)}")
        self._connection.execute("BEGIN")
        self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()

    def release(self) -> None:
        """Let go; it can be taken again."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Let go for good."""
        with contextlib.suppress(sqlite3.Error):  # closing lets go too
            self.release()
        self._connection.close()
