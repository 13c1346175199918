"""Prose: a run of paragraphs, headings, lists, quotes and formulas as one document without scroll bars."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from functools import partial
from math import ceil

from PySide6.QtCore import QEvent, QMimeData, QPoint, QRectF, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QTextBlockFormat,
    QTextCursor,
    QTextOption,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QTextBrowser, QWidget
from shiboken6 import isValid

from desktop.text import Block, Rule, plain_text, spans_of
from desktop.views.bugs import contained
from desktop.views.conversation.copying import fragment_text
from desktop.views.conversation.formulas import FORMULA, FormulaObject
from desktop.views.conversation.maths import drawings
from desktop.views.conversation.style import Style
from desktop.views.conversation.writer import HANG, MIRRORED, QUOTE, RULE, formulas, leading, write_blocks

_MOUSE = Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.LinksAccessibleByMouse
READING = _MOUSE | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
CARET = READING | Qt.TextInteractionFlag.TextSelectableByKeyboard
_BAR = 3  # pixels, beside a quote
SCROLLING = {Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown, Qt.Key.Key_Home, Qt.Key.Key_End}


def leaves(event: QKeyEvent, *, caret: bool) -> bool:
    """Whether a key is for the message around: it copies and selects, as a selection may span several documents, and
    scrolls."""
    scrolls = event.key() in SCROLLING and not caret
    return scrolls or event.key() == Qt.Key.Key_Escape or _copies(event)


def _copies(event: QKeyEvent) -> bool:
    return event.matches(QKeySequence.StandardKey.Copy) or event.matches(QKeySequence.StandardKey.SelectAll)


def claims(event: QEvent) -> bool:
    """Whether `event` asks who wants the keys that copy and select all. A message and its texts do, and have claimed
    them then: a Mac's menu would take them otherwise."""
    if event.type() != QEvent.Type.ShortcutOverride or not isinstance(event, QKeyEvent) or not _copies(event):
        return False
    event.accept()
    return True


class TextView(QTextBrowser):
    """A read-only document as tall as its text. The list around it scrolls; nothing is ever loaded."""

    dragged = Signal(QPoint)  # a selection being pulled beyond the edges; global position
    pressed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("kind", "text")  # no field: the sheet draws no frame
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalScrollBar().rangeChanged.connect(self._never_scroll)
        self.setLineWrapMode(QTextBrowser.LineWrapMode.FixedPixelWidth)  # known before the widget is shown
        self.setOpenLinks(False)
        self.setUndoRedoEnabled(False)
        self.setTextInteractionFlags(READING)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.viewport().setAutoFillBackground(False)
        self.document().setDocumentMargin(0)
        self._below = 0.0  # space that the last line would have to a next one
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        option.setTextDirection(Qt.LayoutDirection.LayoutDirectionAuto)
        self.document().setDefaultTextOption(option)

    def fit(self, width: int) -> int:
        """Take a width in pixels; the height that the text then needs."""
        document = self.document()
        if self.lineWrapColumnOrWidth() != width:
            self.setLineWrapColumnOrWidth(width)
        height = ceil(document.size().height() - self._below)
        self.resize(width, height)
        return height

    def _never_scroll(self) -> None:
        """The document is higher than the view by the space below its last line: Qt would scroll by as much when a
        selection is pulled out of the view, and not back."""
        self.verticalScrollBar().setRange(0, 0)

    def keep_start(self) -> None:
        """Text that was added has pushed the cursor to the end, and a view shows its cursor: back with it."""
        if not self.textCursor().hasSelection():
            self.go_to_start()

    def go_to_start(self) -> None:
        """Move the cursor to where the text begins."""
        self.moveCursor(QTextCursor.MoveOperation.Start)

    def loadResource(self, kind: int, name: QUrl | str) -> None:
        """Nothing: no picture, no style sheet, no file."""

    @contained
    def event(self, event: QEvent) -> bool:
        return claims(event) or super().event(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """The list around scrolls."""
        event.ignore()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.pressed.emit()
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.dragged.emit(event.globalPosition().toPoint())

    def set_caret(self, shown: bool) -> None:
        """Whether arrow keys move a caret to select with, or scroll."""
        self.setTextInteractionFlags(CARET if shown else READING)
        if shown and not self.textCursor().hasSelection():
            self.go_to_start()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.set_caret(False)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        caret = bool(self.textInteractionFlags() & Qt.TextInteractionFlag.TextSelectableByKeyboard)
        if leaves(event, caret=caret):
            event.ignore()
        else:
            super().keyPressEvent(event)

    def createMimeDataFromSelection(self) -> QMimeData:
        """The selection as plain text, formulas as their source."""
        data = QMimeData()
        data.setText(self.selected_text())
        return data

    def selected_text(self) -> str:
        """The selection as plain text."""
        return fragment_text(self.textCursor())


class Prose(TextView):
    """Blocks, written anew only from the first one that changed."""

    outdated = Signal()  # a formula was drawn: `refresh` and lay out again

    def __init__(self, parent: QWidget, style: Style) -> None:
        super().__init__(parent)
        self._style = style
        self._blocks: list[Block] = []
        self._starts: list[int] = []
        self._stale: set[tuple[str, bool]] = set()  # formulas that were drawn after they were written
        self._formula = FormulaObject(self, drawings)
        self._decorated = False
        self.document().documentLayout().registerHandler(FORMULA, self._formula)
        self.setFont(style.font)  # the widget's, too: with the window's, lines without letters would change
        self.setLineWrapColumnOrWidth(
            style.measure
        )  # most likely; without one, each letter would be laid out as a line
        self.document().setIndentWidth(self._style.gap(5))

    def set_blocks(self, blocks: Sequence[Block]) -> None:
        """Show `blocks`."""
        same = 0
        while same < min(len(blocks), len(self._blocks)) and (
            blocks[same] is self._blocks[same] or blocks[same] == self._blocks[same]
        ):
            same += 1
        self._write_from(same, list(blocks))

    @property
    def has_links(self) -> bool:
        """Whether Tab has something to reach here."""
        return any(span.link for block in self._blocks for span in spans_of(block))

    def refresh(self) -> None:
        """Write again what holds formulas that are drawn by now."""
        stale, self._stale = self._stale, set()
        first = next((i for i, block in enumerate(self._blocks) if stale & set(formulas([block]))), None)
        if first is not None:
            self._write_from(first, self._blocks)

    def _write_from(self, first: int, blocks: list[Block]) -> None:
        if first == len(blocks) == len(self._blocks):
            return
        cursor = QTextCursor(self.document())
        if first == 0:
            self.document().clear()
        elif first < len(self._starts):
            cursor.setPosition(self._starts[first] - 1)
            cursor.movePosition(QTextCursor.MoveOperation.End, QTextCursor.MoveMode.KeepAnchor)
            cursor.removeSelectedText()
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.beginEditBlock()
        new = blocks[first:]
        self._starts[first:] = write_blocks(cursor, new, blocks[first - 1] if first else None, self._style)
        cursor.endEditBlock()
        self._blocks = blocks
        self.keep_start()
        self._below = leading(blocks[-1], self._style) if blocks else 0.0
        self._decorated = any(block.place.quote or isinstance(block, Rule) for block in blocks)
        if any(formulas(blocks)):
            self.setAccessibleName(plain_text(blocks))  # in the document a formula is one sign without a meaning
        self._request(new)

    def _request(self, blocks: Sequence[Block]) -> None:
        mine = weakref.ref(self)

        def ready(key: tuple[str, bool]) -> None:
            prose = mine()
            if prose is not None and isValid(prose):
                prose._formula_drawn(key)

        for key in formulas(blocks):
            if not drawings.known(*key):
                drawings.request(*key, partial(ready, key))

    def _formula_drawn(self, key: tuple[str, bool]) -> None:
        if not self._stale:
            QTimer.singleShot(0, self, self.outdated.emit)
        self._stale.add(key)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Tab comes to a link, the first or the last one."""
        super().focusInEvent(event)
        if event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason) and self.has_links:
            forward = event.reason() == Qt.FocusReason.TabFocusReason
            self.moveCursor(QTextCursor.MoveOperation.Start if forward else QTextCursor.MoveOperation.End)
            super().focusNextPrevChild(forward)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._decorated:
            self._paint_lines()

    def _paint_lines(self) -> None:
        """Bars beside quotes and lines across."""
        painter = QPainter(self.viewport())
        layout = self.document().documentLayout()
        block, above, bottom = self.document().begin(), QTextBlockFormat(), 0.0
        while block.isValid():
            box, shape = layout.blockBoundingRect(block), block.blockFormat()
            beside = all(shape.property(kind) == above.property(kind) for kind in (HANG, MIRRORED))
            for level in range(shape.intProperty(QUOTE)):
                inset = self._style.gap(5) * shape.intProperty(HANG) + self._style.gap(4) * level + 1
                left = self.width() - inset - _BAR if shape.boolProperty(MIRRORED) else inset
                top = bottom if beside and level < above.intProperty(QUOTE) else box.top()
                painter.fillRect(QRectF(left, top, _BAR, box.bottom() - top), self._style.line)
            if shape.property(RULE):
                painter.fillRect(QRectF(0, box.center().y(), self.width(), 1), self._style.line)
            block, above, bottom = block.next(), shape, box.bottom()
