"""Marks: the places of what is sought in a document, and how they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtGui import QTextCharFormat, QTextCursor, QTextDocument
from PySide6.QtWidgets import QTextEdit

from desktop.views.conversation.style import Style

Finder = Callable[[str], Iterable[tuple[int, int]]]
"""From a text to the ranges in it, in characters, that are found."""

Sought = str | Finder
"""A text, whatever its case, or what finds its places itself. An empty text is nowhere."""


def find_all(document: QTextDocument, sought: Sought) -> list[QTextCursor]:
    """Every place of what is sought, in order."""
    if not isinstance(sought, str):
        text = document.toPlainText()
        return [_selected(document, text, start, end) for start, end in sought(text)]
    found: list[QTextCursor] = []
    cursor = document.find(sought) if sought else QTextCursor()
    while not cursor.isNull():
        found.append(cursor)
        cursor = document.find(sought, cursor)
    return found


def _selected(document: QTextDocument, text: str, start: int, end: int) -> QTextCursor:
    cursor = QTextCursor(document)
    cursor.setPosition(_units(text[:start]))
    cursor.setPosition(_units(text[:end]), QTextCursor.MoveMode.KeepAnchor)
    return cursor


def _units(text: str) -> int:
    """Its length as Qt counts, in UTF-16."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def shown(cursor: QTextCursor, chosen: bool, style: Style) -> QTextEdit.ExtraSelection:
    """What marks a place; `chosen`: as the one that was gone to."""
    selection = QTextEdit.ExtraSelection()
    shape = QTextCharFormat()
    shape.setBackground(style.accent if chosen else style.found)
    shape.setForeground(style.on_accent if chosen else style.text)
    selection.cursor, selection.format = cursor, shape
    return selection
