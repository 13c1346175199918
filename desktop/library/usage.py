"""Usage: when each model was loaded last, in one small file."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

from desktop.files import write_whole

_LAST = 1e11  # seconds: later is damage, and no date that Python knows


class Usage:
    """Times by key, seconds since 1970. A file that cannot be read or written loses them, and nothing else."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> dict[str, float]:
        """All times."""
        if not self._file.is_file():  # a pipe would never end
            return {}
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(found, dict):
            return {}
        return {key: float(value) for key, value in found.items() if type(value) in (int, float) and 0 <= value < _LAST}

    def note(self, key: str) -> None:
        """The model with this key is used now."""
        times = self.read() | {key: time.time()}
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._file, json.dumps(times))
