"""Usage: when each model was loaded last, in one small file."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path


class Usage:
    """Times by key, seconds since 1970. A file that cannot be read or written loses them, and nothing else."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> dict[str, float]:
        """All times."""
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(found, dict):
            return {}
        return {key: float(value) for key, value in found.items() if type(value) in (int, float)}

    def note(self, key: str) -> None:
        """The model with this key is used now."""
        times = self.read() | {key: time.time()}
        partial = self._file.with_name(f".{self._file.name}.partial")
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps(times), encoding="utf-8")
            partial.replace(self._file)
