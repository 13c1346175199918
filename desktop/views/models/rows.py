"""RowList: a quiet list of things with a name and a line of facts under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from desktop.views.icons import icon
from desktop.views.theme import theme

_Index = QModelIndex | QPersistentModelIndex
_RowRole = Qt.ItemDataRole.UserRole
_SMALL = 0.9  # of the text's size, for the second line


@dataclass(frozen=True, kw_only=True)
class Row:
    """`icon` and `tone` (a token of the theme) say what kind of thing it is and how it is."""

    key: str
    name: str
    note: str
    icon: str
    tone: str = "muted"


class RowList(QListWidget):
    """One row is chosen, unless there is none. Enter or a double click means it."""

    selected = Signal(str)  # key; empty where the list is
    meant = Signal(str)  # key

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setAttribute(Qt.WidgetAttribute.WA_MacShowFocusRect, False)  # the delegate shows it
        self.setItemDelegate(_RowDelegate(self))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.setMouseTracking(True)
        self.setUniformItemSizes(True)
        self.viewport().setAutoFillBackground(False)
        self._filling = False
        self.currentItemChanged.connect(self._on_current)
        self.itemDoubleClicked.connect(lambda item: self.meant.emit(item.data(_RowRole).key))
        theme().changed.connect(self.scheduleDelayedItemsLayout)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            super().keyPressEvent(event)
        elif self.key():  # not by Qt's `activated`, which a Mac's Enter does not emit
            self.meant.emit(self.key())

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show these; what was chosen stays so where it is still here."""
        if [item.data(_RowRole) for item in self._items()] == list(rows):
            return
        before = self.key()
        self._filling = True
        self.clear()
        for row in rows:
            item = QListWidgetItem(row.name)
            item.setData(_RowRole, row)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{row.name}, {row.note}")
            self.addItem(item)
        self._filling = False
        if not self.choose(before) and rows:
            self.choose(rows[0].key)
        self._on_current()

    def key(self) -> str:
        """Of the row that is chosen; empty where none is."""
        item = self.currentItem()
        row: Row | None = item.data(_RowRole) if item is not None else None
        return row.key if row is not None else ""

    def keys(self) -> list[str]:
        """Of all rows, in order."""
        return [item.data(_RowRole).key for item in self._items()]

    def choose(self, key: str) -> bool:
        """Choose a row and bring it into sight; whether it is here."""
        for item in self._items():
            if item.data(_RowRole).key == key:
                self.setCurrentItem(item)
                self.scrollToItem(item)
                return True
        return False

    def _items(self) -> list[QListWidgetItem]:
        return [self.item(number) for number in range(self.count())]

    def _on_current(self) -> None:
        if not self._filling:
            self.selected.emit(self.key())


class _RowDelegate(QStyledItemDelegate):
    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        lines = QFontMetrics(theme().font()).height() + QFontMetrics(theme().font(scale=_SMALL)).height()
        return QSize(0, lines + theme().scaled(20))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        row: Row = index.data(_RowRole)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rect, state = QRect(option.rect), option.state
        ground = rect.adjusted(0, 1, 0, -1)
        radius = theme().scaled(6)
        painter.setPen(Qt.PenStyle.NoPen)
        if state & QStyle.StateFlag.State_Selected:
            painter.setBrush(theme().color("accent_soft"))
            painter.drawRoundedRect(ground, radius, radius)
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.setBrush(theme().color("hover"))
            painter.drawRoundedRect(ground, radius, radius)
        if state & QStyle.StateFlag.State_HasFocus and state & QStyle.StateFlag.State_KeyboardFocusChange:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(theme().color("accent"))
            painter.drawRoundedRect(ground.adjusted(1, 1, -1, -1), radius, radius)
        mirrored = option.direction == Qt.LayoutDirection.RightToLeft
        edge, side = theme().scaled(10), theme().scaled(18)
        left = rect.right() - edge - side + 1 if mirrored else rect.left() + edge
        icon(row.icon, row.tone).paint(painter, QRect(left, rect.center().y() - side // 2, side, side))
        inside = rect.adjusted(edge, theme().scaled(9), -edge, -theme().scaled(9))
        inside.adjust(0 if mirrored else side + edge, 0, -(side + edge) if mirrored else 0, 0)
        along = Qt.AlignmentFlag.AlignRight if mirrored else Qt.AlignmentFlag.AlignLeft
        for font, token, text, where in (
            (theme().font(), "text", row.name, Qt.AlignmentFlag.AlignTop),
            (
                theme().font(scale=_SMALL),
                "danger" if row.tone == "danger" else "muted",
                row.note,
                Qt.AlignmentFlag.AlignBottom,
            ),
        ):
            painter.setFont(font)
            painter.setPen(theme().color(token))
            painter.setLayoutDirection(Qt.LayoutDirection.LayoutDirectionAuto)
            shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, inside.width())
            painter.drawText(inside, along | where | Qt.AlignmentFlag.AlignAbsolute, shown)
        painter.restore()
