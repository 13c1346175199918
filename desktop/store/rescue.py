"""Rescue: a damaged file is set aside byte for byte, and what can be read of it goes into a new one."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from desktop.files import unused
from desktop.store.database import connect
from desktop.store.migrations import migrate
from desktop.store.pages import Pages, Value
from runtime import write_whole

_CHUNK_BYTES = 1 << 20
_LATEST_TIME = 1e11  # seconds since 1970
_STATES = ("complete", "streaming", "interrupted", "failed")


def _is_id(value: Value) -> bool:
    return isinstance(value, int) and value > 0


def _is_time(value: Value) -> bool:
    return isinstance(value, int | float) and 0 <= value < _LATEST_TIME


def _is_flag(value: Value) -> bool:
    return value in (0, 1)


def _is_text(value: Value) -> bool:
    return isinstance(value, str)


def _or_none(check: Callable[[Value], bool]) -> Callable[[Value], bool]:
    return lambda value: value is None or check(value)


# What each column may hold. A row says nothing of its table, so no two tables may allow the same rows: the id stands
# as None in a row, and a text in place of it is a row of SQLite's own. A column that a later version adds comes last,
# and rows from before end without it.
_TABLES: Mapping[str, Mapping[str, Callable[[Value], bool]]] = {
    "messages": {
        "id": lambda value: value is None,
        "chat": _is_id,
        "parent": _or_none(_is_id),
        "chosen": _or_none(_is_id),
        "role": lambda value: value in ("user", "assistant"),
        "state": lambda value: value in _STATES,
        "created": _is_time,
        "model": _or_none(_is_text),
        "figures": _or_none(_is_text),
        "dropped": _or_none(_is_text),
        "error": _or_none(_is_text),
        "text": _is_text,
        "reasoning": _is_text,
    },
    "chats": {
        "id": lambda value: value is None,
        "title": _is_text,
        "titled_by_user": _is_flag,
        "created": _is_time,
        "updated": _is_time,
        "folder": _or_none(_is_id),
        "pinned": _is_flag,
        "archived": _is_flag,
        "deleted": _or_none(_is_time),
        "first": _or_none(_is_id),
        "model": _or_none(_is_text),
        "options": _is_text,
        "system_prompt": _is_text,
        "draft": _is_text,
    },
    "services": {
        "id": lambda value: value is None,
        "name": _is_text,
        "url": _is_text,
        "model": _or_none(_is_text),
        "has_key": _is_flag,
    },
    "presets": {"id": lambda value: value is None, "name": _is_text, "system_prompt": _is_text, "options": _is_text},
    "folders": {
        "id": lambda value: value is None,
        "name": _is_text,
        "position": lambda value: isinstance(value, int),
    },
    "edits": {"id": lambda value: value is None, "text": _is_text},
}


_ADDED = {"messages": 1}  # columns that rows of earlier versions lack


@dataclass
class Found:
    """The rows of each table that were read, by id."""

    rows: dict[str, dict[int, dict[str, Any]]] = field(default_factory=lambda: {table: {} for table in _TABLES})

    def take(self, row_id: int, values: list[Value]) -> None:
        """Keep a row in the table that allows it; forget it where none does."""
        if row_id < 1:
            return
        for table, columns in _TABLES.items():
            least = len(columns) - _ADDED.get(table, 0)
            if least <= len(values) <= len(columns) and all(
                check(value) for check, value in zip(columns.values(), values, strict=False)
            ):
                self.rows[table].setdefault(row_id, {**dict(zip(columns, values, strict=False)), "id": row_id})
                return

    def mend(self) -> None:
        """Make the links whole again: a lost chat comes back without its name, a lost parent is the message before."""
        chats, messages, folders = self.rows["chats"], self.rows["messages"], self.rows["folders"]
        before: dict[int, int] = {}  # last message of each chat so far
        for message in sorted(messages):
            row = messages[message]
            parent = messages.get(row["parent"] or 0)
            if row["parent"] and (parent is None or parent["chat"] != row["chat"] or parent["id"] >= message):
                row["parent"] = before.get(row["chat"])
            before[row["chat"]] = message
            if row["chat"] not in chats:
                chats[row["chat"]] = {"id": row["chat"], "created": row["created"], "updated": row["created"]}
        for chat in chats.values():
            if chat.get("folder") not in folders:
                chat["folder"] = None
        self.rows["edits"] = {message: row for message, row in self.rows["edits"].items() if message in messages}


def rescue(file: Path, connection: sqlite3.Connection | None) -> str:
    """Set a damaged file aside and put a new one with its readable rows in its place.

    `connection`, where there is one, is to the damaged file: it is closed once the copy is made, as SQLite may write
    when it closes. Returns one sentence for the user. Raises OSError and sqlite3.Error; the file is untouched, then.
    """
    aside = unused(file.with_name(f"{file.stem}-damaged-{time.strftime('%Y%m%d-%H%M%S')}{file.suffix}"))
    try:
        try:
            _copy(_log(file), _log(aside))
            _copy(file, aside)
        finally:
            if connection is not None:
                connection.close()
        found = Found()
        for row_id, values in Pages(aside, _log(aside)).rows():
            found.take(row_id, values)
        found.mend()
        _write(found, _rescued(file))
    except BaseException:
        for copy in (aside, _log(aside)):  # the file is still there, and every start would leave another copy
            copy.unlink(missing_ok=True)
        raise
    finish(file)
    chats, messages = len(found.rows["chats"]), len(found.rows["messages"])
    return (
        f"The file of your chats was damaged: {_count(chats, 'chat')} with {_count(messages, 'message')} could be "
        f"rescued, and the damaged file is kept as {aside.name}."
    )


def finish(file: Path) -> None:
    """Put a rescued file, which has its name only when it is whole, in the damaged one's place, if there is one."""
    rescued = _rescued(file)
    if not rescued.exists():
        return
    for old in (_log(file), file.with_name(f"{file.name}-shm")):  # a log of another file must not be read into this one
        old.unlink(missing_ok=True)
    rescued.replace(file)


def _write(found: Found, target: Path) -> None:
    making = target.with_suffix(".making")
    making.unlink(missing_ok=True)
    connection = connect(making)
    try:
        connection.execute("PRAGMA journal_mode = MEMORY")  # what fails is thrown away, and room may be short
        connection.execute("PRAGMA fullfsync = ON")  # it takes the place of the damaged file
        migrate(connection)
        connection.execute("BEGIN IMMEDIATE")
        for table in ("folders", "chats", "messages", "edits", "presets", "services"):
            for _, row in sorted(found.rows[table].items()):
                names = ", ".join(row)
                sql = f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({', '.join('?' * len(row))})"
                connection.execute(sql, tuple(row.values()))
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        for half in (making, _log(making), making.with_name(f"{making.name}-shm")):
            half.unlink(missing_ok=True)
        raise
    connection.close()
    making.replace(target)


def _copy(source: Path, target: Path) -> None:
    if source.exists():
        with source.open("rb") as reader:
            write_whole(target, iter(partial(reader.read, _CHUNK_BYTES), b""))


def _log(file: Path) -> Path:
    return file.with_name(f"{file.name}-wal")


def _rescued(file: Path) -> Path:
    return file.with_name(f"{file.stem}-rescued{file.suffix}")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
