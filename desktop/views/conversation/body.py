"""The text of one message: documents, code and tables under each other, changed only where the text changed.

A long one is written in pieces, between which the window does what else there is to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QWidget

from desktop.text import Block, Fence, Line, Table, spans_of
from desktop.views.conversation.code import CodeBlock, CodeText
from desktop.views.conversation.marks import Sought, find_all, shown
from desktop.views.conversation.positions import document_position, source_position
from desktop.views.conversation.prose import Prose, TextView
from desktop.views.conversation.style import Style
from desktop.views.conversation.table import TableView
from desktop.views.conversation.writer import gap_before

_TYPED = 80  # lines to a document of a text as typed
_RUN = 24  # blocks to a document: what changes while text streams in is laid out in a short one

# What is written at once, counted in cells of a table: each takes about 0.25 ms.
_ROOM = 100
_SEGMENT = 25  # making one
_LETTERS = 200  # to a cell

Segment = Prose | CodeBlock
Text = TextView | CodeText


@dataclass(frozen=True)
class Spot:
    """A place in a body that can be found again after it was laid out anew."""

    segment: int  # among all that there will be
    position: int  # in the segment's document, as if no formula were drawn
    offset: int  # pixels from the top of that position's line


class Body(QWidget):
    """Blocks as widgets."""

    copyRequested = Signal(str)
    linkClicked = Signal(str)
    outdated = Signal()  # lay out again, after `refresh`
    selectionStarted = Signal()

    def __init__(self, parent: QWidget, style: Style, *, from_end: bool = False) -> None:
        """`from_end`: the end is what is seen of it, so that is written first."""
        super().__init__(parent)
        self._style = style
        self._from_end = from_end
        self._groups: list[list[Block]] = []
        self.segments: list[Segment] = []
        """Of the groups from `_first` on, as many as are written by now."""
        self._first = 0
        self._sought: Sought = ""
        self._later = QTimer(self, singleShot=True, interval=0)
        self._later.timeout.connect(self.outdated)

    def set_blocks(self, blocks: Sequence[Block]) -> None:
        """Show `blocks`, the last of them a little later where they are many; segments that stay the same are not
        touched."""
        groups = _grouped(blocks)
        for nth, segment in enumerate(self.segments):
            index = self._first + nth
            if index >= len(groups) or _kind(groups[index]) is not type(segment):
                self._drop(nth)
                break
            if groups[index] != self._groups[index]:
                self._fill(segment, groups[index])
        self._groups = groups
        if not self.segments:
            self._first = len(groups) if self._from_end else 0
        self._write(_ROOM)

    def _write(self, room: float) -> None:
        """Write what is not there yet, until `room` is used up: what is behind, then what is before."""
        tables = [segment for segment in self.segments if isinstance(segment, TableView)]
        for table in reversed(tables) if self._from_end else tables:
            room = table.write_on(room)
        while room > 0 and (end := self._first + len(self.segments)) < len(self._groups):
            self.segments.append(self._make(self._groups[end]))
            room = self._begun(self.segments[-1], self._groups[end], room)
        while room > 0 and self._first:
            self._first -= 1
            self.segments.insert(0, self._make(self._groups[self._first]))
            room = self._begun(self.segments[0], self._groups[self._first], room)
        if self.lacks:
            self._later.start()

    def _begun(self, segment: Segment, group: list[Block], room: float) -> float:
        """What making a segment leaves of `room`."""
        room -= _SEGMENT
        if isinstance(segment, TableView):
            room = segment.write_on(room)
        else:
            room -= sum(map(_letters, group)) / _LETTERS
        if self._sought:
            text_of(segment).setExtraSelections([shown(at, False, self._style) for at in _found(segment, self._sought)])
        return room

    @property
    def lacks(self) -> bool:
        """Whether more is to be written."""
        tables = (segment for segment in self.segments if isinstance(segment, TableView))
        return len(self.segments) < len(self._groups) or any(table.lacks for table in tables)

    def complete(self) -> None:
        """Write all that is not there yet, however long that takes."""
        if self.lacks:
            self._write(float("inf"))
            self._later.stop()
            self.outdated.emit()

    def write_to(self, spot: Spot, below: int) -> None:
        """Write as far as `below` pixels under a place, however long that takes; in the width of the last `fit`."""
        while self.lacks and not self._reaches(spot, below):
            self._write(_ROOM)
            self.fit(self.width())

    def _reaches(self, spot: Spot, below: int) -> bool:
        y = self.y_of(spot)
        return y is not None and y + below <= self.segments[-1].geometry().bottom()

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
            segment.outdated.connect(self.outdated)
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

    def refresh(self) -> None:
        """Write formulas that were drawn meanwhile, and more of what is not there yet."""
        for segment in self.segments:
            if isinstance(segment, Prose):
                segment.refresh()
        self._write(_ROOM)

    def fit(self, width: int, at_least: int = 0) -> int:
        """Take a width in pixels; the height that all segments that are there then need, or what is kept for all."""
        y = 0
        previous: Block | None = None
        for segment, group in zip(self.segments, self._groups[self._first :], strict=False):
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
        for segment in self.segments if self._from_end and y < at_least else ():
            segment.move(segment.x(), segment.y() + at_least - y)
        self.resize(width, max(y, at_least))
        return self.height()

    # places

    def spot_at(self, y: int) -> Spot | None:
        """The place that is `y` pixels below the top; None where there is no text."""
        for index, segment in enumerate(self.segments):
            if y < segment.y() + segment.height() or index == len(self.segments) - 1:
                text = text_of(segment)
                inside = max(y - segment.y() - (0 if text is segment else text.y()), 0)
                cursor = text.cursorForPosition(QPoint(0, inside))
                position = source_position(text.document(), cursor.position())
                return Spot(self._first + index, position, y - self._line_top(segment, cursor))
        return None

    def y_of(self, spot: Spot) -> int | None:
        """Where the place is now, in pixels below the top; None where it is gone."""
        if not 0 <= spot.segment - self._first < len(self.segments):
            return None
        segment = self.segments[spot.segment - self._first]
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
        self._sought = sought
        if current is not None:
            self.complete()
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
        groups = self._groups[self._first :]
        pieces = [(text_of(part).selected_text(), group) for part, group in zip(self.segments, groups, strict=False)]
        chosen = [(piece, "\n" if isinstance(group[0], Line) else "\n\n") for piece, group in pieces if piece]
        return "".join(end + piece for piece, end in chosen).removeprefix(chosen[0][1]) if chosen else ""

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
        self.complete()
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


def _letters(block: Block) -> int:
    return len(block.text) if isinstance(block, Fence | Line) else sum(len(span.text) for span in spans_of(block))


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
