"""What was typed in earlier runs, for the arrow keys of this one: a file of the user's own, one JSON text a line."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from runtime.errors import OptionError
from runtime.paths import cache_folder
from runtime.whole import write_whole

MOST_LINES = 1000
_LONGEST = 10_000  # characters; what is pasted as a document is not remembered
_LARGEST = 16 << 20  # bytes read of the file, from its end


class History:
    """Lines typed at the prompt. Whatever is wrong with its file, a chat goes on: `problem` says it in words."""

    def __init__(self, file: Path | None = None) -> None:
        self.problem: str | None = None
        try:
            self._file = file or cache_folder() / "chat-history.jsonl"
        except OptionError as error:  # no home folder
            self._file, self.problem = Path(os.devnull), str(error)

    def load(self) -> list[str]:
        """The last lines, oldest first; a file that has many more is cut down to them."""
        try:
            with self._file.open("rb") as stream:
                stream.seek(max(0, stream.seek(0, os.SEEK_END) - _LARGEST))
                raw = stream.read().splitlines()
            if len(raw) > 2 * MOST_LINES:
                self._cut(raw[-MOST_LINES:])
        except FileNotFoundError:
            return []
        except OSError as error:
            self._fail(error)
            return []
        lines = (_text(line) for line in raw[-MOST_LINES:])
        return [line for line in lines if line is not None]

    def append(self, line: str) -> None:
        """Remember `line`, at once: the window may be closed without a word."""
        if len(line) > _LONGEST or self.problem:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(handle, "wb") as stream:
                if sys.platform != "win32":
                    os.fchmod(handle, 0o600)
                stream.write(json.dumps(line).encode() + b"\n")
        except OSError as error:
            self._fail(error)

    def _cut(self, lines: list[bytes]) -> None:
        write_whole(self._file, [b"\n".join(lines) + b"\n"])

    def _fail(self, error: OSError) -> None:
        self.problem = f"{self._file}: {error.strerror or error}"


def _text(line: bytes) -> str | None:
    """A line of the file; None for one that is damaged."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, str) else None
