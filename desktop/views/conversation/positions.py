"""Positions in a document that stay when its formulas are drawn: each counts as the source that stood in its place."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtGui import QTextDocument

from desktop.views.conversation.formulas import OBJECT, SOURCE


def source_position(document: QTextDocument, position: int) -> int:
    """What `position` would be if no formula were drawn."""
    return position + sum(more for start, more in _drawn(document) if start < position)


def document_position(document: QTextDocument, source: int) -> int:
    """Where position `source` of the same text without drawings is; of a place in a formula, its beginning."""
    for start, more in _drawn(document):
        if source <= start:
            break
        source = max(source - more, start)
    return source


def _drawn(document: QTextDocument) -> Iterator[tuple[int, int]]:
    """Of each drawn formula, in their order: its position, and by how much its source is longer, in UTF-16 units."""
    found = document.find(OBJECT)
    while not found.isNull():
        source = found.charFormat().property(SOURCE)
        if source is not None:  # else somebody wrote that very sign
            yield found.selectionStart(), len(source.encode("utf-16-le")) // 2 - 1
        found = document.find(OBJECT, found)
