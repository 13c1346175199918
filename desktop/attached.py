"""Text files as parts of a message: the file's name, and its contents in a fence."""

from __future__ import annotations

import codecs
import mimetypes
import re
from pathlib import Path
from typing import Literal

MOST_BYTES = 256_000  # of a file: several times as much as any Falcon reads at once
LONGEST_LINE = 100_000  # characters: Qt lays a paragraph out anew, all of it, at each key

Unfit = Literal["folder", "gone", "large", "picture", "not text", "long line"]
"""Why a file cannot be a part of a message."""


class UnfitError(Exception):
    """The file cannot be a part of a message; `why` says which sentence tells it."""

    def __init__(self, why: Unfit) -> None:
        super().__init__(why)
        self.why: Unfit = why


def attached(file: Path) -> str:
    """The part of a message that `file` makes. Raises UnfitError."""
    text = _read(file)
    if longest_line(text) > LONGEST_LINE:
        raise UnfitError("long line")
    name = " ".join(file.name.split())
    kind = file.suffix[1:].lower()
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{name}\n{fence}{kind if kind.isalnum() else ''}\n{text.rstrip()}\n{fence}\n"


def longest_line(text: str) -> int:
    """Characters."""
    return max(map(len, text.split("\n")))


def _read(file: Path) -> str:
    try:
        if file.is_dir():
            raise UnfitError("folder")
        if not file.is_file():  # a pipe would be waited for
            raise UnfitError("gone")
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except OSError:
        raise UnfitError("gone") from None
    text = _decoded(data[:MOST_BYTES])
    if text is None:
        kind, _ = mimetypes.guess_type(file.name)
        raise UnfitError("picture" if kind is not None and kind.startswith("image/") else "not text")
    if len(data) > MOST_BYTES:
        raise UnfitError("large")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(data: bytes) -> str | None:
    """UTF-8, or UTF-16 that says so; None for all else. What is cut off in the last character is left out."""
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    decoder = codecs.getincrementaldecoder("utf-16" if wide else "utf-8-sig")()
    try:
        text = decoder.decode(data, final=len(data) < MOST_BYTES)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
