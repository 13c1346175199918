"""Titles that a chat gets by itself."""

from __future__ import annotations

_LENGTH = 48  # characters


def title_of(text: str) -> str:
    """The first line of a chat's first message that says something, cut between words where it is long."""
    line = next((" ".join(line.split()) for line in text.splitlines() if any(map(str.isalnum, line))), "")
    line = (line or " ".join(text.split())).lstrip("#>*-– ").strip() or " ".join(text.split())
    if len(line) <= _LENGTH:
        return line
    cut = line[: _LENGTH + 1]
    head, space, _ = cut.rpartition(" ")
    return (head if space and len(head) > _LENGTH // 2 else line[:_LENGTH]).rstrip(" ,;:.") + "…"
