"""Blocks as plain text: what a screen reader is told and what a search looks through."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from desktop.text.blocks import Block, Fence, Formula, Heading, Line, Paragraph, Span, Table


def plain_spans(spans: Sequence[Span]) -> str:
    """Text of spans; mathematics as its LaTeX."""
    return "".join(span.text for span in spans)


def plain_text(blocks: Iterable[Block]) -> str:
    """Text of blocks, one or more lines each, without the signs of Markdown."""
    return "\n".join(_plain(block) for block in blocks)


def _plain(block: Block) -> str:
    match block:
        case Paragraph() | Heading():
            marker = f"{block.place.marker} " if block.place.marker else ""
            return marker + plain_spans(block.spans)
        case Line() | Fence():
            return block.text
        case Formula():
            return block.source
        case Table():
            return "\n".join(", ".join(plain_spans(cell) for cell in row) for row in block.rows)
        case _:
            return ""
