"""Rows out of the pages of a damaged SQLite file, by the file format alone (sqlite.org/fileformat2.html).

Every page that is a leaf of a table is read by itself, so neither the header nor the pages that lead to it are needed.
Pages of the write-ahead log count before the file's own. Only UTF-8 files with pages of PAGE_SIZE bytes and nothing
reserved are read, which are the ones that this program makes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from desktop.store.database import PAGE_SIZE

Value = int | float | str | bytes | None

_LEAF = 0x0D  # a leaf of a table
_HEADER = 100  # bytes before the first page's own content
_LOG_HEADER, _FRAME_HEADER = 32, 24
_LARGEST_LOCAL = PAGE_SIZE - 35  # bytes of a row that stay in its page, and what stays when the rest moves out
_SMALLEST_LOCAL = (PAGE_SIZE - 12) * 32 // 255 - 23
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}  # serial type: bytes
_LARGEST_ROW = 1 << 30


class DamagedRowError(ValueError):
    """Bytes that are no row."""


class Pages:
    """The pages of a database file and its log, whatever their state."""

    def __init__(self, file: Path, log: Path) -> None:
        """Raises OSError where the file cannot be read."""
        self._data = file.read_bytes()
        self._newer = _log_pages(log.read_bytes()) if log.exists() else {}
        self.count = max([-(-len(self._data) // PAGE_SIZE), *self._newer])

    def page(self, number: int) -> bytes:
        """The bytes of a page, from 1; filled up with zeros where the file ends in it."""
        if number in self._newer:
            return self._newer[number]
        return self._data[(number - 1) * PAGE_SIZE : number * PAGE_SIZE].ljust(PAGE_SIZE, b"\0")

    def rows(self) -> Iterator[tuple[int, list[Value]]]:
        """Every row id and row that can be read, of all tables together. A text whose end is lost is cut short."""
        for number in range(1, self.count + 1):
            page = self.page(number)
            start = _HEADER if number == 1 else 0
            if page[start] != _LEAF:
                continue
            (cells,) = struct.unpack_from(">H", page, start + 3)
            for index in range(min(cells, (PAGE_SIZE - start - 8) // 2)):
                (place,) = struct.unpack_from(">H", page, start + 8 + 2 * index)
                try:
                    yield self._row(page, place)
                except (DamagedRowError, IndexError, struct.error):
                    continue  # this cell is damaged; its neighbours need not be

    def _row(self, page: bytes, place: int) -> tuple[int, list[Value]]:
        size, place = _varint(page, place)
        row_id, place = _varint(page, place)
        if not 0 < size < _LARGEST_ROW:
            raise DamagedRowError
        if size <= _LARGEST_LOCAL:
            return row_id, _record(page[place : place + size], size)
        local = _SMALLEST_LOCAL + (size - _SMALLEST_LOCAL) % (PAGE_SIZE - 4)
        local = local if local <= _LARGEST_LOCAL else _SMALLEST_LOCAL
        (following,) = struct.unpack_from(">I", page, place + local)
        return row_id, _record(page[place : place + local] + self._overflow(following, size - local), size)

    def _overflow(self, following: int, missing: int) -> bytes:
        parts: list[bytes] = []
        visited: set[int] = set()
        while missing > 0 and 1 < following <= self.count and following not in visited:
            visited.add(following)
            page = self.page(following)
            parts.append(page[4 : 4 + missing])
            missing -= len(parts[-1])
            (following,) = struct.unpack_from(">I", page)
        return b"".join(parts)


def _log_pages(log: bytes) -> dict[int, bytes]:
    """The newest committed content of each page in a write-ahead log; frames of an earlier round have other salts."""
    pages: dict[int, bytes] = {}
    waiting: dict[int, bytes] = {}
    salts = log[16:24]
    for start in range(_LOG_HEADER, len(log) - _FRAME_HEADER - PAGE_SIZE + 1, _FRAME_HEADER + PAGE_SIZE):
        number, size_after_commit = struct.unpack_from(">II", log, start)
        if log[start + 8 : start + 16] != salts:
            break
        waiting[number] = log[start + _FRAME_HEADER : start + _FRAME_HEADER + PAGE_SIZE]
        if size_after_commit:
            pages |= waiting
            waiting = {}
    return pages


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for count in range(9):
        byte = data[place + count]
        if count == 8:
            return (value << 8) | byte, place + 9
        value = (value << 7) | (byte & 0x7F)
        if byte < 0x80:
            return value, place + count + 1
    raise DamagedRowError


def _record(data: bytes, size: int) -> list[Value]:
    """The values of a row of `size` bytes, of which only the beginning may be there."""
    header, place = _varint(data, 0)
    if not place <= header <= min(size, len(data)):
        raise DamagedRowError
    kinds: list[int] = []
    while place < header:
        kind, place = _varint(data, place)
        kinds.append(kind)
    if header + sum(map(_length, kinds)) != size:
        raise DamagedRowError
    values: list[Value] = []
    for kind in kinds:
        length = _length(kind)
        values.append(_value(kind, data[place : place + length], length))
        place += length
    return values


def _length(kind: int) -> int:
    if kind >= 12:
        return (kind - 12) // 2
    return 8 if kind == 7 else _INTEGERS.get(kind, 0)


def _value(kind: int, data: bytes, length: int) -> Value:
    if kind >= 12:
        return data if kind % 2 == 0 else _text(data, whole=len(data) == length)
    if len(data) < length or kind in (10, 11):
        raise DamagedRowError
    if kind == 7:
        return float(struct.unpack(">d", data)[0])
    if kind in (0, 8, 9):
        return {0: None, 8: 0, 9: 1}[kind]
    return int.from_bytes(data, "big", signed=True)


def _text(data: bytes, *, whole: bool) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:  # a lost or foreign page begins here, or the cut went through a character
        if whole and error.start == 0:
            raise DamagedRowError from error
        return data[: error.start].decode("utf-8")
