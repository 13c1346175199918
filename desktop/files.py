"""Files of the window's own and of its user's: texts that appear whole or not at all, names that are free."""

from __future__ import annotations

from pathlib import Path

import runtime

_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{number}" for port in ("COM", "LPT") for number in range(10))}
"""Names that Windows gives to no file, whatever its ending."""


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


def file_name(title: str) -> str:
    """`title` as every file system takes it, without an ending."""
    kept = "".join(" " if sign in '<>:"/\\|?*' or ord(sign) < 32 else sign for sign in title)
    short = " ".join(kept.split())[:80].encode("utf-8", errors="ignore")[:200].decode("utf-8", errors="ignore")
    name = short.strip(" .") or "chat"
    return f"{name}_" if name.partition(".")[0].rstrip().upper() in _DEVICES else name
