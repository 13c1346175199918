"""The scrolled column of messages: real widgets only near the viewport, and a place in the text that nothing moves.

The truth is the anchor: a message in sight and where its top is, in pixels below the viewport's top. The scroll bar
only shows it. So a height that is measured, or that changes, moves what is elsewhere, never what is being read.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QPalette, QResizeEvent
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QWidget

from desktop.views.conversation.body import Spot
from desktop.views.conversation.heights import Heights
from desktop.views.conversation.items import MessageItem
from desktop.views.conversation.message import MessageWidget
from desktop.views.conversation.style import current_style
from desktop.views.parts import EDGE
from desktop.views.theme import theme

_ROUNDS = 12  # of measuring until all that is in sight has been measured


class MessageColumn(QAbstractScrollArea):
    """Places messages and keeps the place."""

    bottomChanged = Signal(bool)  # whether the newest text is in sight
    placed = Signal()  # messages may be in other places, or of another height

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.style_now = current_style()
        theme().changed.connect(self.rebuild)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setBackgroundRole(QPalette.ColorRole.Window)
        self.items: list[MessageItem] = []
        self.widgets: dict[int, MessageWidget] = {}  # by index
        self._heights = Heights()
        self._anchor, self._anchor_top = 0, 0
        self._value = 0
        self._following = True
        self._at_bottom = True
        self._column = 0  # width of a message
        self._idle = QTimer(self, singleShot=True, interval=0)
        self._idle.timeout.connect(self._prepare_next)
        self.verticalScrollBar().valueChanged.connect(self._scrolled)

    # what subclasses give

    def make_widget(self, index: int, *, from_end: bool) -> MessageWidget:
        """A widget for message `index`, a child of the viewport; `from_end`: its end is seen first."""
        raise NotImplementedError

    # items

    def reset_items(self, items: Sequence[MessageItem], *, focus: int | None) -> None:
        """Other messages. The place is kept where the message that is read is among them, unless `focus` names one."""
        read = self.items[self._anchor].id if self.items else None
        old = {self.items[index].id: widget for index, widget in self.widgets.items()}
        roles = {item.id: item.role for item in self.items}
        self.items = list(items)
        self.widgets = {}
        ids = {item.id: index for index, item in enumerate(items)}
        for known, widget in old.items():
            index = ids.get(known)
            if index is not None and roles[known] == items[index].role:
                widget.set_item(items[index])
                self.widgets[index] = widget
            else:
                self._remove(widget)
        self._heights.reset([self._estimate(item) for item in items])
        for index, widget in self.widgets.items():
            self._heights.set(index, widget.fit(self._column))
        if focus is not None and focus in ids:
            self._anchor, self._anchor_top, self._following = ids[focus], self._padding(), False
        elif read is not None and read in ids and not self._following:
            self._anchor = ids[read]
        else:
            self._anchor, self._anchor_top, self._following = 0, self._padding(), True
        self.arrange()

    def append_item(self, item: MessageItem) -> None:
        """One more message at the end."""
        self.items.append(item)
        self._heights.append(self._estimate(item))
        self.arrange()

    def remeasure(self, index: int, change: object = None) -> None:
        """Run `change` (a callable, or nothing) on message `index`, measure it again and keep the place."""
        spot = self._spot(index)
        if callable(change):
            change()
        widget = self.widgets.get(index)
        if widget is not None:
            changed = self._heights.set(index, widget.fit(self._column))
        else:
            changed = self._heights.set(index, self._estimate(self.items[index]))
        self._restore(spot)
        if changed or spot is not None:
            self.arrange()

    # the place

    def _spot(self, index: int) -> tuple[Spot, int] | None:
        """What is at the top of the viewport, where that is inside message `index`; and how far below the top."""
        if index != self._anchor or self._anchor_top >= 0 or self._following:
            return None
        widget = self.widgets.get(index)
        found = widget.spot_at(-self._anchor_top) if widget else None
        return None if found is None or widget is None else (found, self._anchor_top + (widget.y_of(found) or 0))

    def _restore(self, spot: tuple[Spot, int] | None) -> None:
        if spot is None:
            return
        widget = self.widgets.get(self._anchor)
        y = widget.y_of(spot[0]) if widget else None
        if y is not None:
            self._anchor_top = spot[1] - y

    def _scrolled(self, value: int) -> None:
        """The user moved the bar, by whatever means."""
        delta = value - self._value
        if delta:
            self._anchor_top -= delta
            self._value = value
            self._following = delta > 0 and value >= self.verticalScrollBar().maximum() - 1
            anchor = self._heights[self._anchor] if self.items else 0
            if not -anchor < self._anchor_top < self.viewport().height():
                self._renew_anchor()  # a jump: what is measured on the way must not move what it arrives at
            self.arrange()

    def reading_place(self, message: int | None = None) -> tuple[int, int]:
        """The id of the first message in sight (or `message`), and where its top is below the viewport's, in pixels."""
        index = self._anchor if message is None else self.index_of(message)
        return (self.items[index].id, self._view_top(index)) if index is not None and self.items else (0, 0)

    @property
    def following(self) -> bool:
        """Whether new text moves the view."""
        return self._following

    def follow(self) -> None:
        """Go to the newest text and stay there."""
        self._following = True
        self.arrange()

    def reveal(self, index: int) -> MessageWidget:
        """Scroll as little as shows message `index`, its top if it is tall; its widget."""
        top, bottom = self._view_top(index), self._view_top(index) + self._heights[index]
        if index not in self.widgets or top < 0 or bottom > self.viewport().height():
            self._following = False
            if index not in self.widgets:
                self._anchor, self._anchor_top = index, self._padding()
                self.arrange()
                top, bottom = self._view_top(index), self._view_top(index) + self._heights[index]
            room = self.viewport().height()
            if top < 0 or bottom - top > room:
                self.scroll_by(top - self._padding() if top < 0 or top > room // 2 else 0)
            elif bottom > room:
                self.scroll_by(bottom - room)
        return self.widgets[index]

    def reveal_y(self, index: int, y: int) -> None:
        """Scroll as little as shows what is `y` pixels below the top of message `index`."""
        where, room = self._view_top(index) + y, self.viewport().height()
        if not 0 <= where <= room - self.style_now.gap(12):
            self._following = False
            self.scroll_by(where - room // 3)

    def scroll_by(self, pixels: int) -> None:
        """Scroll down by so many pixels."""
        bar = self.verticalScrollBar()
        bar.setValue(bar.value() + pixels)

    def _view_top(self, index: int) -> int:
        return self._anchor_top + self._heights.top(index) - self._heights.top(self._anchor)

    def _padding(self) -> int:
        return self.style_now.gap(3)

    def index_of(self, message: int) -> int | None:
        """Index of the message with this id, found from the end."""
        return next((i for i in reversed(range(len(self.items))) if self.items[i].id == message), None)

    # arranging

    def arrange(self) -> None:
        """Measure what is in sight, place it, and set the scroll bar."""
        if not self.items or self._column <= 0:
            self._sync_bar(0)
            return
        for _ in range(_ROUNDS):
            self._settle()
            if not self._measure_visible():
                break
        self._settle()
        self._place()
        pad = self._padding()
        self._sync_bar(self._heights.total + 2 * pad)
        self._renew_anchor()
        self._idle.start()
        self.placed.emit()

    def _settle(self) -> None:
        """Keep the column within its ends; at the bottom while following."""
        pad, room = self._padding(), self.viewport().height()
        last = len(self.items) - 1
        end = self._view_top(last) + self._heights[last] + pad
        if self._following or end < room:
            self._anchor_top += room - end
        start = self._view_top(0)
        if start > pad or self._heights.total + 2 * pad <= room:
            self._anchor_top += pad - start

    def _measure_visible(self) -> bool:
        """Make and measure what is in sight; whether a height changed."""
        start = self._heights.top(self._anchor) - self._anchor_top
        first, last = self._heights.at(start), self._heights.at(start + self.viewport().height())
        changed = False
        for index in range(first, last + 1):
            if index not in self.widgets:
                changed |= self._realise(index)
        return changed

    def _realise(self, index: int) -> bool:
        widget = self.make_widget(index, from_end=self._following or index < self._anchor)
        self.widgets[index] = widget
        changed = self._heights.set(index, widget.fit(self._column))
        widget.move(self._left(), self._view_top(index))
        widget.show()
        return changed

    def _left(self) -> int:
        """In the middle of the pane, the scroll bar's room included, where the composer is too."""
        view = self.viewport().geometry()
        return max(0, min((self.width() - self._column) // 2 - view.x(), view.width() - self._column))

    def _place(self) -> None:
        left, room = self._left(), self.viewport().height()
        for index in sorted(self.widgets):
            widget = self.widgets[index]
            top = self._view_top(index)
            if (top > 2 * room or top + self._heights[index] < -room) and not widget.pinned:
                self._remove(self.widgets.pop(index))
            else:
                widget.move(left, top)

    @staticmethod
    def _remove(widget: MessageWidget) -> None:
        widget.hide()
        widget.deleteLater()

    def _sync_bar(self, total: int) -> None:
        bar = self.verticalScrollBar()
        room = self.viewport().height()
        top = self._heights.top(self._anchor) - self._anchor_top + self._padding() if self.items else 0
        maximum = max(total - room, 0)
        self._value = min(max(top, 0), maximum)  # before the bar says so: its signals then mean nothing new
        if self._value <= bar.maximum():
            bar.setValue(self._value)  # else a smaller range would move the bar to its end, as if the user had
        bar.setRange(0, maximum)
        bar.setPageStep(room)
        bar.setSingleStep(self.style_now.gap(5))
        bar.setValue(self._value)
        at_bottom = self._value >= maximum - 1
        if at_bottom != self._at_bottom:
            self._at_bottom = at_bottom
            self.bottomChanged.emit(at_bottom)

    def _renew_anchor(self) -> None:
        """The first message in sight holds the place."""
        if not self.items:
            return
        index = self._heights.at(self._heights.top(self._anchor) - self._anchor_top)
        self._anchor_top = self._view_top(index)
        self._anchor = index

    def _prepare_next(self) -> None:
        """Make one message just out of sight, while nothing else is to be done: scrolling then finds it ready."""
        room = self.viewport().height()
        start = self._heights.top(self._anchor) - self._anchor_top
        first, last = self._heights.at(start - room // 2), self._heights.at(start + room + room // 2)
        wanted = next((i for i in range(first, last + 1) if i not in self.widgets), None) if self.items else None
        if wanted is not None:
            self._realise(wanted)
            self.arrange()

    # width, fonts, colours

    def _estimate(self, item: MessageItem) -> int:
        return self.style_now.text_height(item.text, self._column) + self.style_now.gap(18)

    def _wanted_column(self) -> int:
        wider = 2 * self.style_now.inset
        text = min(self.style_now.measure, self.width() - 2 * theme().scaled(EDGE))
        return min(text + wider, self.viewport().width())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.refit()

    def refit(self) -> None:
        """Lay all out for the width that there is."""
        column = self._wanted_column()
        if column > 0 and column != self._column:
            spot = self._spot(self._anchor)
            self._column = column
            self._heights.reset([self._estimate(item) for item in self.items])
            for index, widget in self.widgets.items():
                self._heights.set(index, widget.fit(column))
            self._restore(spot)
        self.arrange()

    def rebuild(self) -> None:
        """Make all widgets anew, in other colours, sizes or words; the place is kept."""
        self.style_now = current_style()
        self._column = self._wanted_column()
        spot = self._spot(self._anchor)
        for widget in self.widgets.values():
            self._remove(widget)
        self.widgets = {}
        self._heights.reset([self._estimate(item) for item in self.items])
        if spot is not None:
            self._realise(self._anchor)
            read = self.widgets[self._anchor]
            read.write_to(spot[0], self.viewport().height())
            self._heights.set(self._anchor, read.fit(self._column))
            self._restore(spot)
        self.arrange()
