"""The text of one message: documents, code and tables under each other, changed only where the text changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QWidget

from desktop.text import Block, Fence, Line, Table
from desktop.views.conversation.code import CodeBlock, CodeText
from desktop.views.conversation.marks import Sought, find_all, shown
from desktop.views.conversation.positions import document_position, source_position
from desktop.views.conversation.prose import Prose, TextView
from desktop.views.conversation.style import Style
from desktop.views.conversation.table import TableView
from desktop.views.conversation.writer import gap_before

_TYPED = 400  # lines to a document of a text as typed
_RUN = 24  # blocks to a document: what changes while text streams in is laid out in a short one

Segment = Prose | CodeBlock
Text = TextView | CodeText


@dataclass(frozen=True)
class Spot:
    """A place in a body that can be found again after it was laid out anew."""

    segment: int
    position: int  # in the segment's document, as if no formula were drawn
    offset: int  # pixels from the top of that position's line


class Body(QWidget):
    """Blocks as widgets."""

    copyRequested = Signal(str)
    linkClicked = Signal(str)
    outdated = Signal()  # lay out again, after `refresh`
    selectionStarted = Signal()

    def __init__(self, parent: QWidget, style: Style) -> None:
        super().__init__(parent)
        self._style = style
        self._groups: list[list[Block]] = []
        self.segments: list[Segment] = []
        self._stale: list[Prose] = []

    def set_blocks(self, blocks: Sequence[Block]) -> None:
        """Show `blocks`; segments that stay the same are not touched."""
        groups = _grouped(blocks)
        for index, group in enumerate(groups):
            if index < len(self.segments) and _kind(group) is type(self.segments[index]):
                if group != self._groups[index]:
                    self._fill(self.segments[index], group)
                continue
            self._drop(index)
            self.segments.append(self._make(group))
        self._drop(len(groups))
        self._groups = groups

    def _drop(self, first: int) -> None:
        for segment in self.segments[first:]:
            segment.hide()
            segment.deleteLater()
        del self.segments[first:]

    def _make(self, group: list[Block]) -> Segment:
        segment = _kind(group)(self, self._style)
        if isinstance(segment, CodeBlock):
            segment.copyRequested.connect(self.copyRequested)
        else:
            segment.anchorClicked.connect(lambda address: self.linkClicked.emit(address.toString()))
            segment.outdated.connect(self._outdated)
        text = text_of(segment)
        text.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)  # the message's is shown
        text.pressed.connect(self.selectionStarted)
        text.dragged.connect(self._drag)
        self._fill(segment, group)
        segment.show()
        return segment

    @staticmethod
    def _fill(segment: Segment, group: list[Block]) -> None:
        if isinstance(segment, CodeBlock):
            fence = group[0]
            if isinstance(fence, Fence):
                segment.set_fence(fence)
        else:
            segment.set_blocks(group)

    def _outdated(self) -> None:
        self.outdated.emit()

    def refresh(self) -> None:
        """Write formulas that were drawn meanwhile."""
        for segment in self.segments:
            if isinstance(segment, Prose):
                segment.refresh()

    def fit(self, width: int) -> int:
        """Take a width in pixels; the height that all segments then need."""
        y = 0
        previous: Block | None = None
        for segment, group in zip(self.segments, self._groups, strict=True):
            place = group[0].place
            inset = 0 if isinstance(segment, Prose) and not isinstance(segment, TableView) else place.indent
            left = self._style.gap(5) * inset + (self._style.gap(4) * place.quote if inset or _boxed(segment) else 0)
            left = min(left, width // 2)
            if previous is not None:
                y += self._style.gap(3) if _boxed(segment) else gap_before(group[0], previous, self._style)
            height = segment.fit(width - left)
            segment.move(left, y)
            y += height
            previous = group[-1]
        self.resize(width, y)
        return y

    # places

    def spot_at(self, y: int) -> Spot | None:
        """The place that is `y` pixels below the top; None where there is no text."""
        for index, segment in enumerate(self.segments):
            if y < segment.y() + segment.height() or index == len(self.segments) - 1:
                text = text_of(segment)
                inside = max(y - segment.y() - (0 if text is segment else text.y()), 0)
                cursor = text.cursorForPosition(QPoint(0, inside))
                position = source_position(text.document(), cursor.position())
                return Spot(index, position, y - self._line_top(segment, cursor))
        return None

    def y_of(self, spot: Spot) -> int | None:
        """Where the place is now, in pixels below the top; None where it is gone."""
        if spot.segment >= len(self.segments):
            return None
        segment = self.segments[spot.segment]
        document = text_of(segment).document()
        cursor = QTextCursor(document)
        position = document_position(document, spot.position)
        cursor.setPosition(min(position, max(document.characterCount() - 1, 0)))
        return self._line_top(segment, cursor) + spot.offset

    @staticmethod
    def _line_top(segment: Segment, cursor: QTextCursor) -> int:
        text = text_of(segment)
        return segment.y() + (0 if text is segment else text.y()) + text.cursorRect(cursor).top()

    # finding

    def mark(self, sought: Sought, current: int | None) -> int | None:
        """Show what is sought, place number `current` as chosen, or the last; its distance from the top."""
        places = [(index, cursor) for index, segment in enumerate(self.segments) for cursor in _found(segment, sought)]
        chosen = None if current is None or not places else places[min(current, len(places) - 1)]
        for index, segment in enumerate(self.segments):
            marked = [(cursor, (index, cursor) == chosen) for where, cursor in places if where == index]
            text_of(segment).setExtraSelections([shown(*each, self._style) for each in marked])
        return self._line_top(self.segments[chosen[0]], chosen[1]) if chosen else None

    # selection

    def _drag(self, where: QPoint) -> None:
        """A selection that is pulled out of one text goes on in the others."""
        origin = self.sender()
        texts = [text_of(segment) for segment in self.segments]
        if origin not in texts:
            return
        here = self.mapFromGlobal(where)
        start = texts.index(origin)
        end = min((i for i, s in enumerate(self.segments) if here.y() < s.y() + s.height()), default=len(texts) - 1)
        low, high = sorted((start, end))
        for index, text in enumerate(texts):
            if index == start:
                continue
            cursor = text.textCursor()
            if not low <= index <= high:
                cursor.clearSelection()
            elif index == end:
                cursor = text.cursorForPosition(text.viewport().mapFromGlobal(where))
                move = QTextCursor.MoveOperation.Start if end > start else QTextCursor.MoveOperation.End
                anchor = QTextCursor(text.document())
                anchor.movePosition(move)
                anchor.setPosition(cursor.position(), QTextCursor.MoveMode.KeepAnchor)
                cursor = anchor
            else:
                cursor.select(QTextCursor.SelectionType.Document)
            text.setTextCursor(cursor)

    def selected_text(self) -> str:
        """What is selected, over all segments."""
        pieces = (text_of(segment).selected_text() for segment in self.segments)
        return "\n\n".join(piece for piece in pieces if piece)

    def link_at(self, where: QPoint) -> str:
        """The address of the link at a place; empty where there is none."""
        for segment in self.segments:
            if isinstance(segment, Prose) and segment.geometry().contains(where):
                return segment.anchorAt(segment.viewport().mapFrom(self, where))
        return ""

    def clear_selection(self) -> None:
        """Select nothing."""
        for segment in self.segments:
            text = text_of(segment)
            cursor = text.textCursor()
            if cursor.hasSelection():
                cursor.clearSelection()
                text.setTextCursor(cursor)

    def select_all(self) -> None:
        """Select all text."""
        for segment in self.segments:
            text_of(segment).selectAll()


def text_of(segment: Segment) -> Text:
    """The document's widget within a segment."""
    return segment.text if isinstance(segment, CodeBlock) else segment


def _found(segment: Segment, sought: Sought) -> list[QTextCursor]:
    places = find_all(text_of(segment).document(), sought)
    return segment.in_order(places) if isinstance(segment, TableView) else places


def _boxed(segment: Segment) -> bool:
    return isinstance(segment, CodeBlock | TableView)


def _kind(group: list[Block]) -> type[Segment]:
    if isinstance(group[0], Fence):
        return CodeBlock
    return TableView if isinstance(group[0], Table) else Prose


def _grouped(blocks: Sequence[Block]) -> list[list[Block]]:
    """Runs of prose, and code and tables each for itself."""
    groups: list[list[Block]] = []
    for block in blocks:
        alone = isinstance(block, Fence | Table)
        room = _TYPED if isinstance(block, Line) else _RUN
        if groups and not alone and len(groups[-1]) < room and not isinstance(groups[-1][0], Fence | Table):
            groups[-1].append(block)
        else:
            groups.append([block])
    return groups
