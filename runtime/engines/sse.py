"""Server-sent events: the data of each event in bytes that may be cut anywhere (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import codecs

from runtime.errors import ServiceError

_LONGEST = 16 * 2**20  # bytes of a line or an event: more is no chunk of an answer


class EventStream:
    """Feed bytes, get data. Names, ids and comments are read over: services for language models use none."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._data: list[str] = []
        self._size = 0
        self._begun = False
        self._after_return = False  # the last byte was \r: a \n that follows belongs to it
        self.fields = 0  # lines that any such stream may have; still 0 at the end: it was none

    def feed(self, data: bytes) -> list[str]:
        """The data of the events that end in `data`. Raises ServiceError for a line of more than 16 MiB."""
        if self._after_return and data[:1] == b"\n":
            data = data[1:]
        if data:
            self._after_return = data.endswith(b"\r")
        self._line += data
        if not self._begun and len(self._line) >= len(codecs.BOM_UTF8):
            self._begun = True
            if self._line.startswith(codecs.BOM_UTF8):
                del self._line[: len(codecs.BOM_UTF8)]
        if b"\n" not in data and b"\r" not in data:
            self._check(len(self._line))
            return []
        *lines, rest = self._line.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._line = bytearray(rest)
        found = [event for line in lines if (event := self._take(bytes(line))) is not None]
        self._check(len(self._line))
        return found

    def _take(self, line: bytes) -> str | None:
        if not line:
            event = "\n".join(self._data) if self._data else None
            self._data, self._size = [], 0
            return event
        name, _, value = line.partition(b":")
        if name in (b"data", b"event", b"id", b"retry", b""):
            self.fields += 1
        if name == b"data":
            self._data.append(value.removeprefix(b" ").decode(errors="replace"))
            self._size += len(value)
            self._check(self._size)
        return None

    def _check(self, size: int) -> None:
        if size > _LONGEST:
            raise ServiceError("The service sent an event of more than 16 MiB, which is no part of an answer.")
