"""SafeStart: which model was being loaded, so that one that takes the program down is not loaded again by itself."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from desktop.files import write_whole


class SafeStart:
    """A mark in a file while a model loads; it stays where loading ended in a crash, of the model or of the program.

    Called from any thread. A file that cannot be read or written marks nothing: then a crash is not remembered, and
    nothing else is lost.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def begin(self, key: str) -> None:
        """The model with this key is about to be loaded. On the disk when this returns, as the machine may go down."""
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._file, json.dumps({"loading": key}))

    def end(self) -> None:
        """It was loaded, or was refused in an orderly way, or the user left meanwhile."""
        with contextlib.suppress(OSError):
            self._file.unlink(missing_ok=True)

    def crashed(self) -> str | None:
        """Key of the model whose last loading crashed; None where all went well. Ask before anything is loaded."""
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        key = found.get("loading") if isinstance(found, dict) else None
        return key if isinstance(key, str) else None
