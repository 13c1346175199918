"""Files of the window's own and of its user's: texts that appear whole or not at all, names that are free."""

from __future__ import annotations

from pathlib import Path

import runtime


def unused(file: Path) -> Path:
    """`file`, or where that exists the same name with the first number that is free."""
    candidate, number = file, 1
    while candidate.exists():
        number += 1
        candidate = file.with_stem(f"{file.stem}-{number}")
    return candidate


def write_whole(file: Path, text: str) -> None:
    """Write `text` as UTF-8 to `file`, for its owner only. Replaces and raises as runtime.write_whole."""
    runtime.write_whole(file, [text.encode("utf-8", errors="replace")])
