"""What the world can do to the chats' file, as one sentence each."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from runtime import UserFacingError

_FULL = "The disk is full, so nothing more can be saved; free some space and try again."
_UNWRITABLE = "{folder} cannot be written, so nothing can be saved; allow this program to write there."
_HELD = "Another program holds the file of your chats; close it and try again."
_DAMAGED = (
    "The file of your chats is damaged; start this program again, it keeps the file and rescues what it can read."
)
_TOO_LONG = "This text is longer than the file of your chats can hold; shorten it."
_NO_MEMORY = "There is not enough memory to save the change; close other programs and try again."


class StoreError(UserFacingError):
    """The chats' file cannot be opened, read or written. What was saved before is as it was."""


class DiskFullError(StoreError):
    """The disk has no room for more."""


class UnwritableError(StoreError):
    """The system does not let us write where the chats are."""


class HeldError(StoreError):
    """Another program has the chats' file for itself."""


class DamagedError(StoreError):
    """The chats' file is no longer sound."""


_KINDS: dict[int, tuple[type[StoreError], str]] = {
    sqlite3.SQLITE_FULL: (DiskFullError, _FULL),
    sqlite3.SQLITE_READONLY: (UnwritableError, _UNWRITABLE),
    sqlite3.SQLITE_CANTOPEN: (UnwritableError, _UNWRITABLE),
    sqlite3.SQLITE_PERM: (UnwritableError, _UNWRITABLE),
    sqlite3.SQLITE_BUSY: (HeldError, _HELD),
    sqlite3.SQLITE_LOCKED: (HeldError, _HELD),
    sqlite3.SQLITE_CORRUPT: (DamagedError, _DAMAGED),
    sqlite3.SQLITE_NOTADB: (DamagedError, _DAMAGED),
    sqlite3.SQLITE_TOOBIG: (StoreError, _TOO_LONG),
    sqlite3.SQLITE_NOMEM: (StoreError, _NO_MEMORY),
}


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code, without the extension that tells its kind; 0 where there is none."""
    return int(getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the error says that the file's bytes are not a database, or no longer a sound one."""
    return primary_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def explain(error: sqlite3.Error, file: Path) -> StoreError | None:
    """The sentence for an error of the world; None for one that is a bug and keeps its traceback."""
    code = primary_code(error)
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:  # by another window
        return StoreError("This chat, message or folder was deleted for good; choose another one.")
    if code in _KINDS:
        kind, sentence = _KINDS[code]
        return kind(sentence.format(folder=file.parent))
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOLFS):
        return StoreError(f"{file.parent} could not be read or written ({error}); check the disk and try again.")
    return None


def unwritable(folder: Path, error: OSError) -> StoreError:
    """The sentence for a folder or file that the system does not let us make."""
    kind = DiskFullError if error.errno == errno.ENOSPC else UnwritableError
    return kind(f"{folder} cannot be written ({error.strerror or error}); free some space or allow writing there.")
