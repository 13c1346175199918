"""ChatDelegate: how a row of the list is drawn: a title with quiet marks behind it, a header in small letters."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter
from PySide6.QtWidgets import QLineEdit, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from desktop.views.icons import icon
from desktop.views.sidebar.model import RowRole, text_of
from desktop.views.sidebar.rows import ChatRow, HeaderRow
from desktop.views.theme import theme

_Index = QModelIndex | QPersistentModelIndex
_EDGE = 8  # pixels between a row's ground and its text
_GAP = 6  # between an icon and a text


class ChatDelegate(QStyledItemDelegate):
    """Rows have the height of their text; colours and sizes are the theme's of the moment."""

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        """The same for all rows: the list asks for one, as asking for thousands takes long."""
        header, chat = QFontMetrics(theme().font(scale=0.85, bold=True)), QFontMetrics(theme().font())
        return QSize(0, max(header.height() + theme().scaled(18), chat.height() + theme().scaled(14)))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        row = index.data(RowRole)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if isinstance(row, HeaderRow):
            self._paint_header(painter, option, row)
        else:
            self._paint_chat(painter, option, row)
        painter.restore()

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: _Index) -> QWidget:
        editor = QLineEdit(parent)
        editor.setAccessibleName(self.tr("Title of the chat"))
        editor.setMaxLength(200)
        return editor

    def setEditorData(self, editor: QWidget, index: _Index) -> None:
        """Qt calls it again when the row changes, as where an answer ends in the chat: what was typed stays."""
        if not (isinstance(editor, QLineEdit) and editor.isModified()):
            super().setEditorData(editor, index)

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: _Index) -> None:
        editor.setGeometry(QRect(option.rect))

    def _paint_header(self, painter: QPainter, option: QStyleOptionViewItem, row: HeaderRow) -> None:
        rect = QRect(option.rect).adjusted(_EDGE, theme().scaled(6), -_EDGE, 0)
        if row.folder is not None:
            side = theme().scaled(14)
            name = "chevron-down"
            if row.folded:
                name = "chevron-left" if _is_mirrored(option) else "chevron-right"
            self._icon(painter, option, rect, name, side, at_end=False)
            rect.adjust(0 if _is_mirrored(option) else side + _GAP, 0, -(side + _GAP) if _is_mirrored(option) else 0, 0)
            if option.state & QStyle.StateFlag.State_HasFocus:
                self._ring(painter, QRect(option.rect))
        painter.setFont(theme().font(scale=0.85, bold=True))
        painter.setPen(theme().color("muted"))
        self._text(painter, option, rect, text_of(row))

    def _paint_chat(self, painter: QPainter, option: QStyleOptionViewItem, row: ChatRow) -> None:
        rect, state = QRect(option.rect), option.state
        if state & QStyle.StateFlag.State_Selected:
            self._ground(painter, rect, theme().color("accent_soft"))
        elif state & QStyle.StateFlag.State_MouseOver:
            self._ground(painter, rect, theme().color("hover"))
        if state & QStyle.StateFlag.State_HasFocus and state & QStyle.StateFlag.State_KeyboardFocusChange:
            self._ring(painter, rect)
        inside = rect.adjusted(_EDGE, 0, -_EDGE, 0)
        side = theme().scaled(14)
        if row.inside:  # its title begins where the folder's does
            indent = side + _GAP
            inside.adjust(0 if _is_mirrored(option) else indent, 0, -indent if _is_mirrored(option) else 0, 0)
        for name in _marks(row):
            self._icon(painter, option, inside, name, side, at_end=True)
            inside.adjust(
                side + _GAP if _is_mirrored(option) else 0, 0, 0 if _is_mirrored(option) else -(side + _GAP), 0
            )
        painter.setFont(theme().font())
        painter.setPen(theme().color("text" if row.chat.title else "muted"))
        self._text(painter, option, inside, text_of(row))

    def _ground(self, painter: QPainter, rect: QRect, colour: QColor) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        radius = theme().scaled(6)
        painter.drawRoundedRect(rect.adjusted(0, 1, 0, -1), radius, radius)

    def _ring(self, painter: QPainter, rect: QRect) -> None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(theme().color("accent"))
        radius = theme().scaled(6)
        painter.drawRoundedRect(rect.adjusted(1, 2, -1, -2), radius, radius)

    def _icon(
        self, painter: QPainter, option: QStyleOptionViewItem, rect: QRect, name: str, side: int, *, at_end: bool
    ) -> None:
        """At the beginning or the end of a line in its direction."""
        right = at_end != _is_mirrored(option)
        left = rect.right() - side + 1 if right else rect.left()
        place = QRect(left, rect.center().y() - side // 2, side, side)
        icon(name, "muted").paint(painter, place)

    def _text(self, painter: QPainter, option: QStyleOptionViewItem, rect: QRect, text: str) -> None:
        # The line begins where the window's language does; a title of the other direction is laid out by its own.
        side = Qt.AlignmentFlag.AlignRight if _is_mirrored(option) else Qt.AlignmentFlag.AlignLeft
        painter.setLayoutDirection(Qt.LayoutDirection.LayoutDirectionAuto)
        shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
        painter.drawText(rect, side | Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignAbsolute, shown)


def _marks(row: ChatRow) -> list[str]:
    marks = ["pin"] if row.chat.pinned else []
    if row.writing:
        return ["message", *marks]
    return ["edit", *marks] if row.chat.draft else marks


def _is_mirrored(option: QStyleOptionViewItem) -> bool:
    return option.direction == Qt.LayoutDirection.RightToLeft
