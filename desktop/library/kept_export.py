"""KeptExport: the export that was under way when the program left, in one small file, so that it can go on."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from desktop.files import write_whole
from desktop.library.export_job import ExportRequest

_PATHS = ("output", "calibrate")


class KeptExport:
    """A file that cannot be read or written keeps nothing: the export can still be asked for again by hand."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def keep(self, request: ExportRequest) -> None:
        """This export is under way."""
        values = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(request).items()}
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._file, json.dumps(values))

    def forget(self) -> None:
        """It ended, or the user does not want it any more."""
        with contextlib.suppress(OSError):
            self._file.unlink(missing_ok=True)

    def load(self) -> ExportRequest | None:
        """What was under way; None where nothing was, or the file is no such request."""
        try:
            values: Any = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        if not isinstance(values, dict) or not isinstance(values.get("model"), str) or not values.get("output"):
            return None
        known = {field.name for field in fields(ExportRequest)}
        found: dict[str, Any] = {name: value for name, value in values.items() if name in known}
        try:
            for name in _PATHS:
                if found.get(name) is not None:
                    found[name] = Path(found[name])
            return ExportRequest(**found)
        except TypeError:
            return None
