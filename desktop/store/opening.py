"""Opening the chats' file: what is missing is made, what is old is upgraded, what is damaged is rescued."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from desktop.files import unused
from desktop.store import rescue
from desktop.store.database import Database, connect, make_private
from desktop.store.errors import HeldError, StoreError, explain, is_damage, primary_code, unwritable
from desktop.store.lock import UseLock
from desktop.store.migrations import APPLICATION, LATEST, migrate, version_of

FILE_NAME = "chats.sqlite3"
KEPT_BACKUPS = 3
_CHECKED_BYTES = 64 << 20  # a larger file is only checked whole after damage was met in it: a start must stay quick
_ATTEMPTS = 20  # of 0.2 s each, while another program starts, upgrades or ends


@dataclass(frozen=True)
class Opened:
    """An open file, the lock that says so, what the user should hear, and whether no other program uses the file."""

    database: Database
    lock: UseLock
    notice: str | None
    alone: bool


def open_chats(folder: Path) -> Opened:
    """Open the chats in `folder`, which is made where it is missing. Raises StoreError."""
    file = folder / FILE_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = UseLock(folder / "chats.lock")
        try:
            return _open(file, lock)
        except BaseException:
            lock.close()
            raise
    except OSError as error:
        raise unwritable(folder, error) from error
    except sqlite3.DatabaseError as error:
        sentence = explain(error, file)
        if sentence is None:
            raise
        raise sentence from error


def _open(file: Path, lock: UseLock) -> Opened:
    for _ in range(_ATTEMPTS):
        if lock.try_alone():
            connection, notice = _prepare(file)
            lock.share()
            return Opened(Database(connection, file), lock, notice, alone=True)
        lock.share()
        if file.exists():
            connection = connect(file)
            if _state(connection, file, thorough=False) == "ready":
                return Opened(Database(connection, file), lock, None, alone=False)
            connection.close()
    raise HeldError("The chats must be upgraded or repaired, but another window has them open; close it and try again.")


def _prepare(file: Path) -> tuple[sqlite3.Connection, str | None]:
    """A sound file of the latest version, made, upgraded or rescued while no other program uses it."""
    rescue.finish(file)
    mark = file.with_suffix(".damaged")
    connection: sqlite3.Connection | None = None
    notice: str | None = None
    try:
        connection = connect(file)
        state = _state(connection, file, thorough=mark.exists())
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if not _tells_damage(error):
            raise
        state = "damaged"
    if state == "damaged":
        notice = rescue.rescue(file, connection)
        mark.unlink(missing_ok=True)
        connection = connect(file)
    assert connection is not None  # without one the file is damaged
    try:
        if state == "old":
            notice = _back_up(connection, file)
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    mark.unlink(missing_ok=True)
    return connection, notice


def _state(connection: sqlite3.Connection, file: Path, *, thorough: bool) -> str:
    """`new`, `old`, `ready` or `damaged`. Raises StoreError for a newer program's file, with the connection closed."""
    try:
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not tables:
            return "new"
        if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
            return "damaged"
        version = version_of(connection)
        if version > LATEST:
            connection.close()
            raise StoreError(
                f"The chats in {file.parent} were written by a newer version of this program; install that version."
            )
        if (thorough or file.stat().st_size <= _CHECKED_BYTES) and not _is_sound(connection):
            return "damaged"
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if _tells_damage(error):
            return "damaged"
        connection.close()
        raise
    return "ready" if version == LATEST else "old"


def _tells_damage(error: Exception) -> bool:
    """Whether what was met on a first look is damage: that look is right, so errors of its own come from the file.

    A damaged schema is quoted in the error's text, which may be no UTF-8.
    """
    if isinstance(error, sqlite3.DatabaseError):
        return is_damage(error) or primary_code(error) == sqlite3.SQLITE_ERROR
    return isinstance(error, UnicodeDecodeError)


def _is_sound(connection: sqlite3.Connection) -> bool:
    answer = connection.execute("PRAGMA quick_check(1)").fetchone()
    return answer is not None and answer[0] == "ok"


def _back_up(connection: sqlite3.Connection, file: Path) -> str:
    """Keep the file as it is under another name, and of earlier copies the last ones."""
    name = f"{file.stem}-version-{version_of(connection)}-{time.strftime('%Y%m%d-%H%M%S')}{file.suffix}"
    copy = unused(file.with_name(name))
    making = copy.with_suffix(".making")
    making.unlink(missing_ok=True)
    try:
        make_private(making)
        target = sqlite3.connect(making, isolation_level=None)
        try:
            connection.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")  # so that the file is all there is of it
        finally:
            target.close()
        making.replace(copy)
    finally:
        making.unlink(missing_ok=True)
    backups = sorted(file.parent.glob(f"{file.stem}-version-*{file.suffix}"), key=lambda path: path.stat().st_mtime)
    for old in backups[:-KEPT_BACKUPS]:
        old.unlink(missing_ok=True)
    return f"Your chats were brought into this version's form, and the file as it was is kept as {copy.name}."
