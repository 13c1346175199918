"""A model's Markdown as frozen blocks, its code as coloured ranges, its links as checked addresses. No window here."""

from desktop.text.blocks import (
    Block,
    Fence,
    Formula,
    Heading,
    Line,
    Paragraph,
    Place,
    Rule,
    Span,
    Table,
    spans_of,
    typed,
)
from desktop.text.direction import Direction, direction, is_mirrored
from desktop.text.formulas import INK, UNIT, Drawing, draw, mathml
from desktop.text.highlight import Kind, Mark, highlight, pieces
from desktop.text.links import Link, check_link
from desktop.text.markdown import Markdown
from desktop.text.maths import maths_source
from desktop.text.notes import MARKS
from desktop.text.parser import make_parser
from desktop.text.plain import plain_text
from desktop.text.tasks import TASKS

__all__ = [
    "INK",
    "MARKS",
    "TASKS",
    "UNIT",
    "Block",
    "Direction",
    "Drawing",
    "Fence",
    "Formula",
    "Heading",
    "Kind",
    "Line",
    "Link",
    "Mark",
    "Markdown",
    "Paragraph",
    "Place",
    "Rule",
    "Span",
    "Table",
    "check_link",
    "direction",
    "draw",
    "highlight",
    "is_mirrored",
    "make_parser",
    "mathml",
    "maths_source",
    "pieces",
    "plain_text",
    "spans_of",
    "typed",
]
