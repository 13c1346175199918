"""What is selected in a document as plain text: formulas as their source, list items with their marks."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtGui import QTextCursor, QTextListFormat

from desktop.views.conversation.formulas import OBJECT, SOURCE


def fragment_text(cursor: QTextCursor) -> str:
    """The selection of `cursor`, one line a block."""
    return "\n".join(line for _, line in fragment_lines(cursor))


def fragment_lines(cursor: QTextCursor) -> Iterator[tuple[int, str]]:
    """Of each block in the selection of `cursor` its position and what is selected of it."""
    start, end = cursor.selectionStart(), cursor.selectionEnd()
    block = cursor.document().findBlock(start)
    while block.isValid() and block.position() <= end and start < end:
        pieces = []
        item = block.textList()
        if item is not None and start <= block.position():
            numbered = item.format().style() == QTextListFormat.Style.ListDecimal
            pieces.append(f"{item.format().start()}. " if numbered else "• ")
        pieces += _pieces(block.begin(), start, end)
        yield block.position(), "".join(pieces).replace("\u2028", "\n")
        block = block.next()


def _pieces(fragments: object, start: int, end: int) -> list[str]:
    pieces = []
    for entry in fragments:  # type: ignore[attr-defined]
        fragment = entry.fragment()
        first, last = max(start, fragment.position()), min(end, fragment.position() + fragment.length())
        if first >= last:
            continue
        source = fragment.charFormat().property(SOURCE)
        text = _cut(fragment.text(), first - fragment.position(), last - fragment.position())
        pieces.append(text if source is None else text.replace(OBJECT, f"${source}$"))
    return pieces


def _cut(text: str, first: int, last: int) -> str:
    """`text` from UTF-16 unit `first` to `last`."""
    return text.encode("utf-16-le")[first * 2 : last * 2].decode("utf-16-le", "replace")
