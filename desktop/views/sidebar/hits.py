"""HitList: what a search over all chats found, with the words that matched marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QPointF, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter, QTextCharFormat, QTextLayout, QTextOption
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from desktop.store.records import Hit
from desktop.views.theme import theme

_Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_EDGE = 8
_LINES = 2  # of a snippet
HitRole = Qt.ItemDataRole.UserRole


class HitModel(QAbstractListModel):
    """The hits of one search."""

    def __init__(self) -> None:
        super().__init__()
        self.hits: Sequence[Hit] = ()

    def set_hits(self, hits: Sequence[Hit]) -> None:
        """Another search's."""
        self.beginResetModel()
        self.hits = hits
        self.endResetModel()

    def rowCount(self, parent: _Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.hits)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        hit = self.hits[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return hit.title
            case Qt.ItemDataRole.AccessibleTextRole:
                return f"{hit.title}: {hit.snippet}" if hit.message is not None else hit.title
            case Qt.ItemDataRole.UserRole:
                return hit
        return None


class HitDelegate(QStyledItemDelegate):
    """A title over two lines of the message."""

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        hit: Hit = index.data(HitRole)
        lines = QFontMetrics(theme().font()).lineSpacing()
        if hit.message is not None:
            lines += _LINES * QFontMetrics(theme().font(scale=0.9)).lineSpacing()
        return QSize(0, lines + theme().scaled(16))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        hit: Hit = index.data(HitRole)
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        radius = theme().scaled(6)
        if chosen or state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().color("accent_soft" if chosen else "hover"))
            painter.drawRoundedRect(rect.adjusted(0, 1, 0, -1), radius, radius)
        if state & QStyle.StateFlag.State_HasFocus and state & QStyle.StateFlag.State_KeyboardFocusChange:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(theme().color("accent"))
            painter.drawRoundedRect(rect.adjusted(1, 2, -1, -2), radius, radius)
        inside = rect.adjusted(_EDGE, theme().scaled(8), -_EDGE, 0)
        if hit.message is None:
            self._draw(painter, inside, hit.title, hit, _along(option), bold=True, lines=1)
        else:
            painter.setFont(theme().font(bold=True))
            painter.setPen(theme().color("text"))
            painter.setLayoutDirection(Qt.LayoutDirection.LayoutDirectionAuto)
            title = painter.fontMetrics().elidedText(hit.title, Qt.TextElideMode.ElideRight, inside.width())
            painter.drawText(inside, _along(option) | Qt.AlignmentFlag.AlignTop, title)
            inside.adjust(0, painter.fontMetrics().lineSpacing(), 0, 0)
            self._draw(painter, inside, hit.snippet, hit, _along(option), bold=False, lines=_LINES)
        painter.restore()

    def _draw(
        self, painter: QPainter, rect: QRect, text: str, hit: Hit, along: Qt.AlignmentFlag, *, bold: bool, lines: int
    ) -> None:
        """`text` with what matched marked, so many lines of it."""
        layout = QTextLayout(text.replace("\n", " "), theme().font(scale=1.0 if bold else 0.9, bold=bold))
        laid = QTextOption(along)
        laid.setTextDirection(Qt.LayoutDirection.LayoutDirectionAuto)
        layout.setTextOption(laid)
        layout.setFormats([_marked(start, end) for start, end in hit.ranges])
        layout.beginLayout()
        height = 0.0
        for _ in range(lines):
            line = layout.createLine()
            if not line.isValid():
                break
            line.setLineWidth(rect.width())
            line.setPosition(QPointF(0, height))
            height += line.height()
        layout.endLayout()
        painter.setPen(theme().color("text" if bold else "muted"))
        layout.draw(painter, rect.topLeft().toPointF())


def _along(option: QStyleOptionViewItem) -> Qt.AlignmentFlag:
    """Where a line begins: where the window's language does, whatever the language of the text."""
    mirrored = option.direction == Qt.LayoutDirection.RightToLeft
    side = Qt.AlignmentFlag.AlignRight if mirrored else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignAbsolute


def _marked(start: int, end: int) -> QTextLayout.FormatRange:
    style = QTextCharFormat()
    style.setBackground(theme().color("mark"))
    style.setForeground(theme().color("text"))
    marked = QTextLayout.FormatRange()
    marked.start, marked.length, marked.format = start, end - start, style
    return marked


class HitList(QListView):
    """A hit is gone to by a click, or Enter."""

    hitChosen = Signal(int, object)  # chat, message or None

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.hits = HitModel()
        self.setModel(self.hits)
        self.setItemDelegate(HitDelegate(self))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setAttribute(Qt.WidgetAttribute.WA_MacShowFocusRect, False)  # the delegate shows it
        self.setMouseTracking(True)
        self.viewport().setAutoFillBackground(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.clicked.connect(self._choose)
        theme().changed.connect(self.scheduleDelayedItemsLayout)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if enter and self.currentIndex().isValid():  # not by Qt's `activated`, which a Mac's Enter does not emit
            self._choose(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def _choose(self, index: QModelIndex) -> None:
        hit: Hit = index.data(HitRole)
        self.hitChosen.emit(hit.chat, hit.message)
