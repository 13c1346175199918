"""Blocks into a QTextDocument. Positions are the document's, in UTF-16 units."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import (
    QFont,
    QFontMetricsF,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextFormat,
    QTextListFormat,
)

from desktop.text import TASKS, Block, Direction, Formula, Heading, Line, Paragraph, Rule, Span, direction, spans_of
from desktop.views.conversation.formulas import OBJECT, formula_format
from desktop.views.conversation.maths import drawings
from desktop.views.conversation.style import Style

QUOTE = QTextFormat.Property.UserProperty + 1  # of a block: depth of quotes
RULE = QTextFormat.Property.UserProperty + 2  # of a block: True for a line across
HANG = QTextFormat.Property.UserProperty + 6  # of a block: depth of lists around the outermost quote
MIRRORED = QTextFormat.Property.UserProperty + 8  # of a block: whether the bars of its quotes are at the right
_BULLET_SPACE = 250  # percent of the width of a space


def gap_before(block: Block, previous: Block | None, style: Style) -> int:
    """Pixels between a block and the one before it."""
    if previous is None or isinstance(block, Line):
        return 0
    if isinstance(block, Heading):
        return style.gap(5 if block.level <= 2 else 4)
    if isinstance(previous, Heading):
        return style.gap(2)
    if block.place.indent and previous.place.indent:
        return style.gap(1.2)
    return style.gap(2.8)


def leading(block: Block, style: Style) -> float:
    """Pixels below each line of a block."""
    return 0.0 if isinstance(block, Formula) else style.unit * 4 * (style.line_height(block) - 100) / 100


def write_blocks(cursor: QTextCursor, blocks: Sequence[Block], previous: Block | None, style: Style) -> list[int]:
    """Write `blocks` at the end of the document; the position where each starts."""
    starts = []
    for block in blocks:
        layout = _block_format(block, previous, style)
        if block.place.quote:
            _quote(layout, block, cursor.blockFormat() if previous and previous.place.quote else None, style)
        if previous is None:
            cursor.setBlockFormat(layout)
        else:
            cursor.insertBlock(layout, QTextCharFormat())
        starts.append(cursor.position())
        _write(cursor, block, style)
        previous = block
    return starts


def _block_format(block: Block, previous: Block | None, style: Style) -> QTextBlockFormat:
    layout = QTextBlockFormat()
    layout.setTopMargin(gap_before(block, previous, style))
    layout.setIndent(block.place.indent)
    if isinstance(block, Formula):
        layout.setAlignment(Qt.AlignmentFlag.AlignHCenter)
    else:
        layout.setLineHeight(leading(block, style), QTextBlockFormat.LineHeightTypes.LineDistanceHeight.value)
    if isinstance(block, Heading):
        layout.setHeadingLevel(block.level)
    if isinstance(block, Rule):
        layout.setProperty(RULE, True)
    return layout


def _quote(layout: QTextBlockFormat, block: Block, before: QTextBlockFormat | None, style: Style) -> None:
    """Room for the bars of quotes, on the side where the words of the block begin; where it has none, where they are
    `before` it in the quote."""
    words = _direction(block)
    mirrored = words == "rtl" if words or before is None else before.boolProperty(MIRRORED)
    layout.setProperty(QUOTE, block.place.quote)
    layout.setProperty(HANG, block.place.hang)
    layout.setProperty(MIRRORED, mirrored)
    room = block.place.quote * style.gap(4)
    (layout.setRightMargin if mirrored else layout.setLeftMargin)(room)


def _direction(block: Block) -> Direction | None:
    """Of its words; the letters of formulas are none."""
    return direction(span.text for span in spans_of(block) if not span.math)


def _write(cursor: QTextCursor, block: Block, style: Style) -> None:
    plain = QTextCharFormat()
    plain.setFont(style.heading_font(block.level) if isinstance(block, Heading) else style.font)
    plain.setForeground(style.muted if block.place.quote else style.text)
    if isinstance(block, Paragraph) and block.place.marker in TASKS:
        _write_box(cursor, block.place.marker, plain)
    elif isinstance(block, Paragraph) and block.place.marker:
        _make_item(cursor, block.place.indent, block.place.marker, mirrored=_direction(block) == "rtl")
        cursor.setBlockCharFormat(_marker_format(block.place.marker, plain))
    match block:
        case Paragraph() | Heading():
            for span in block.spans:
                write_span(cursor, span, plain, style)
        case Line():
            cursor.insertText(block.text, plain)
        case Formula():
            _write_formula(cursor, block.source, True, plain, style)
        case _:
            pass


def _make_item(cursor: QTextCursor, indent: int, marker: str, *, mirrored: bool) -> None:
    kind = QTextListFormat()
    kind.setIndent(indent)
    if marker == "•":
        shapes = (QTextListFormat.Style.ListDisc, QTextListFormat.Style.ListCircle, QTextListFormat.Style.ListSquare)
        kind.setStyle(shapes[(indent - 1) % 3])
    else:
        kind.setStyle(QTextListFormat.Style.ListDecimal)
        kind.setStart(int(marker[:-1]))
        if mirrored:  # Qt turns the signs of a number round twice
            kind.setNumberPrefix(".")
            kind.setNumberSuffix("")
    layout = cursor.blockFormat()
    layout.setIndent(0)  # the list indents
    cursor.setBlockFormat(layout)
    cursor.createList(kind)


def _write_box(cursor: QTextCursor, sign: str, plain: QTextCharFormat) -> None:
    """A task's box, hanging before its text. It is text itself: only so it is read aloud, found and copied."""
    box = f"{sign} "
    layout = cursor.blockFormat()
    layout.setTextIndent(-QFontMetricsF(plain.font()).horizontalAdvance(box))
    cursor.setBlockFormat(layout)
    cursor.insertText(box, plain)


def _marker_format(marker: str, plain: QTextCharFormat) -> QTextCharFormat:
    """What Qt draws a list's marker with: a space of its font parts it from the text, too small a one for a bullet."""
    shape = QTextCharFormat(plain)
    if marker == "•":
        font = QFont(plain.font())
        font.setStretch(_BULLET_SPACE)
        shape.setFont(font)
    return shape


def write_span(cursor: QTextCursor, span: Span, plain: QTextCharFormat, style: Style) -> None:
    """Write one span in `plain` with its own style over it."""
    if span.math:
        _write_formula(cursor, span.text, False, plain, style)
        return
    shape = QTextCharFormat(plain)
    if span.code:
        shape.setFont(style.code_font)
        shape.setBackground(style.code_background)
    if span.bold:
        shape.setFontWeight(650)
    if span.italic:
        shape.setFontItalic(True)
    if span.strike:
        shape.setFontStrikeOut(True)
    if span.raised:
        shape.setVerticalAlignment(QTextCharFormat.VerticalAlignment.AlignSuperScript)
    if span.link:
        shape.setAnchor(True)
        shape.setAnchorHref(span.link)
        shape.setForeground(style.accent)
        shape.setFontUnderline(True)
    cursor.insertText(span.text.replace("\n", "\u2028"), shape)


def _write_formula(cursor: QTextCursor, source: str, display: bool, plain: QTextCharFormat, style: Style) -> None:
    """A formula as a drawing on the line, or as its source where there is none, or none yet."""
    drawing = drawings.find(source, display)
    if drawing is None:
        shape = QTextCharFormat(plain)
        shape.setFont(style.code_font)
        shape.setForeground(style.muted)
        cursor.insertText(source.replace("\n", "\u2028"), shape)
        return
    cursor.insertText(OBJECT, formula_format(source, display, drawing, plain))


def formulas(blocks: Sequence[Block]) -> list[tuple[str, bool]]:
    """Sources in `blocks`, and whether each stands on a line of its own."""
    found: list[tuple[str, bool]] = []
    for block in blocks:
        if isinstance(block, Formula):
            found.append((block.source, True))
        found += [(span.text, False) for span in spans_of(block) if span.math]
    return found
