"""SafeStart: which model was being loaded, so that one that takes the program down is not loaded again by itself."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path


class SafeStart:
    """A mark in a file while a model loads; it stays where loading ended in a crash, of the model or of the program.

    Called from any thread. A file that cannot be read or written marks nothing: then a crash is not remembered, and
    nothing else is lost.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def begin(self, key: str) -> None:
        """The model with this key is about to be loaded. On the disk when this returns."""
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            partial = self._file.with_name(f".{self._file.name}.partial")
            with partial.open("w", encoding="utf-8") as written:
                json.dump({"loading": key}, written)
                written.flush()
                os.fsync(written.fileno())  # the machine itself may go down with it
            partial.replace(self._file)

    def end(self) -> None:
        """It was loaded, or was refused in an orderly way, or the user left meanwhile."""
        with contextlib.suppress(OSError):
            self._file.unlink(missing_ok=True)

    def crashed(self) -> str | None:
        """Key of the model whose last loading crashed; None where all went well. Ask before anything is loaded."""
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        key = found.get("loading") if isinstance(found, dict) else None
        return key if isinstance(key, str) else None
