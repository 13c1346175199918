"""A block of code: its language, a copy button, and lines that scroll sideways instead of wrapping."""

from __future__ import annotations

from concurrent.futures import Future
from math import ceil
from typing import Any

from PySide6.QtCore import QEvent, QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QSyntaxHighlighter,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QToolButton, QWidget

from desktop.text import Fence, Mark, highlight
from desktop.views.bugs import contained
from desktop.views.conversation.controls import paint_panel
from desktop.views.conversation.prose import claims, leaves
from desktop.views.conversation.style import Style
from desktop.views.conversation.work import work
from desktop.views.icons import icon
from desktop.views.parts import ElidedLabel, beside_icon

_CARET = Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
_PAUSE = 400  # ms between looks at the colours of code that still grows
_COLOURED = 200  # lines at once
_SHOWN = 1500  # ms that a copy button says so


class _Colouring(QSyntaxHighlighter):
    """Applies marks that were found elsewhere; lines without any stay plain."""

    def __init__(self, document: QTextDocument, style: Style) -> None:
        super().__init__(document)
        self._marks: list[list[Mark]] = []
        self._drawn: list[list[Mark]] = []  # of the lines that are drawn by now
        self._next = 0  # line to look at
        self._pause = QTimer(self, singleShot=True, interval=0)
        self._pause.timeout.connect(self._draw)
        self._formats: dict[str, QTextCharFormat] = {}
        for kind, colour in style.code.items():
            shape = QTextCharFormat()
            shape.setForeground(colour)
            shape.setFontItalic(kind == "comment")
            self._formats[kind] = shape

    def show(self, marks: list[list[Mark]]) -> None:
        """Take the marks of all lines; only lines that differ are drawn anew, some at a time."""
        self._marks, self._next = marks, 0
        del self._drawn[len(marks) :]
        self._draw()

    def _draw(self) -> None:
        room = _COLOURED
        while room and self._next < len(self._marks):
            line, new = self._next, self._marks[self._next]
            before = self._drawn[line] if line < len(self._drawn) else []
            self._drawn[line : line + 1] = [new]
            self._next += 1
            if before != new:
                room -= 1
                block = self.document().findBlockByNumber(line)
                if block.isValid():
                    self.rehighlightBlock(block)
        if self._next < len(self._marks):
            self._pause.start()

    def highlightBlock(self, _text: str) -> None:
        line = self.currentBlock().blockNumber()
        if line < len(self._drawn):
            for start, length, kind in self._drawn[line]:
                self.setFormat(start, length, self._formats[kind])


class CodeText(QPlainTextEdit):
    """The lines. Scrolls sideways only."""

    dragged = Signal(QPoint)
    pressed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("kind", "text")  # no field: the sheet draws no frame
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setReadOnly(True)
        self.setUndoRedoEnabled(False)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setLayoutDirection(Qt.LayoutDirection.LeftToRight)  # code is, in every language
        self.document().setDocumentMargin(0)
        self._plain = True  # one script: all lines are of one height

    def lines_height(self) -> int:
        """Pixels of all lines. Letters of other scripts make their lines higher."""
        document, layout = self.document(), self.document().documentLayout()
        if self._plain:
            height = layout.blockBoundingRect(document.begin()).height() * document.blockCount()
        else:
            blocks = (document.findBlockByNumber(number) for number in range(document.blockCount()))
            height = sum(layout.blockBoundingRect(block).height() for block in blocks)
        return ceil(height) + 2  # a pixel less, and Qt would scroll the first line away

    def add(self, text: str) -> None:
        """Text behind what is there."""
        self._plain = self._plain and text.isascii()
        cursor = QTextCursor(self.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.insertText(text)
        if not self.textCursor().hasSelection():
            self.moveCursor(
                QTextCursor.MoveOperation.Start
            )  # a view shows its cursor, which this has pushed to the end

    def set_text(self, text: str) -> None:
        """Other text."""
        self._plain = text.isascii()
        self.setPlainText(text)

    def selected_text(self) -> str:
        """The selection as plain text."""
        return self.textCursor().selectedText().replace("\u2029", "\n")

    @contained
    def event(self, event: QEvent) -> bool:
        return claims(event) or super().event(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Sideways here; up and down is for the list around."""
        delta = event.angleDelta()
        if abs(delta.x()) > abs(delta.y()) and self.horizontalScrollBar().maximum():
            super().wheelEvent(event)
        else:
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
        self.setTextInteractionFlags(_CARET if shown else Qt.TextInteractionFlag.TextSelectableByMouse)
        if shown and not self.textCursor().hasSelection():
            self.moveCursor(QTextCursor.MoveOperation.Start)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.set_caret(False)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        caret = bool(self.textInteractionFlags() & Qt.TextInteractionFlag.TextSelectableByKeyboard)
        bar = self.horizontalScrollBar()
        if event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right) and bar.maximum() and not caret:
            step = bar.singleStep() * (1 if event.key() == Qt.Key.Key_Right else -1)
            bar.setValue(bar.value() + step)
        elif leaves(event, caret=caret):
            event.ignore()
        else:
            super().keyPressEvent(event)


class CodeBlock(QWidget):
    """One fence."""

    copyRequested = Signal(str)

    def __init__(self, parent: QWidget, style: Style) -> None:
        super().__init__(parent)
        self._style = style
        self._fence: Fence | None = None
        self._work: Future[Any] | None = None
        self._widest = 0.0
        self.text = CodeText(self)
        self._language = ElidedLabel(self)
        self.copy = QToolButton(self)
        self.copy.setIcon(icon("copy"))
        self.copy.setText(beside_icon(self.tr("Copy")))
        self.copy.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.copy.setAutoRaise(True)
        self.copy.setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # the list of messages gives the order of Tab
        self.copy.clicked.connect(self._copied)
        self._colouring = _Colouring(self.text.document(), style)
        self._pause = QTimer(self, singleShot=True, interval=_PAUSE)
        self._pause.timeout.connect(self._colour)
        self._apply_style()

    def _apply_style(self) -> None:
        style = self._style
        self.text.setFont(style.code_font)
        self.text.setTabStopDistance(QFontMetricsF(style.code_font).horizontalAdvance(" ") * 4)
        palette = self.text.palette()
        palette.setColor(QPalette.ColorRole.Base, style.code_background)
        palette.setColor(QPalette.ColorRole.Text, style.code_text)
        self.text.setPalette(palette)
        for part in (self._language, self.copy):
            part.setFont(style.small_font)
            shade = part.palette()
            for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.ButtonText):
                shade.setColor(role, style.muted)
            part.setPalette(shade)
        self.copy.setIconSize(QSize(style.gap(3), style.gap(3)))

    def set_fence(self, fence: Fence) -> None:
        """Show a fence; cheap where its text only grew."""
        before = self._fence
        if before == fence:
            return
        self._fence = fence
        old = before.text if before else ""
        if before and fence.text.startswith(old):
            self.text.add(fence.text[len(old) :])
            start = old.rfind("\n") + 1
            self._measure(fence.text[start:], at_least=self._widest)
        else:
            self.text.set_text(fence.text)
            self._measure(fence.text)
        if before is None or before.language != fence.language:
            self._language.set_whole(fence.language)
            name = self.tr("Code, %1").replace("%1", fence.language) if fence.language else self.tr("Code")
            self.text.setAccessibleName(name)
            self.copy.setAccessibleName(self.tr("Copy code"))
        if fence.closed:
            self._colour()
        elif not self._pause.isActive():
            self._pause.start()

    def _measure(self, text: str, at_least: float = 0.0) -> None:
        """Find the widest line. Looking at the longest ones is enough where letters are of one width."""
        lines = sorted(text.expandtabs(4).split("\n"), key=len)[-3:]
        metrics = QFontMetricsF(self._style.code_font)
        self._widest = max([at_least, *(metrics.horizontalAdvance(line) for line in lines)])

    def _colour(self) -> None:
        fence = self._fence
        if fence is None or not fence.language or not fence.text:
            return
        if self._work is not None:
            self._work.cancel()
        code, language = fence.text, fence.language
        self._work = work().submit(lambda: highlight(code, language), self, CodeBlock._coloured)

    def _coloured(self, marks: list[list[Mark]]) -> None:
        self._work = None
        self._colouring.show(marks)
        if self._fence is not None and not self._fence.closed:
            self._pause.start()

    def _copied(self) -> None:
        if self._fence is not None:
            self.copyRequested.emit(self._fence.text)
        self.copy.setIcon(icon("check"))
        self.copy.setText(beside_icon(self.tr("Copied")))
        QTimer.singleShot(_SHOWN, self, self._uncopied)

    def _uncopied(self) -> None:
        self.copy.setIcon(icon("copy"))
        self.copy.setText(beside_icon(self.tr("Copy")))
        self._place_header()

    def fit(self, width: int) -> int:
        """Take a width in pixels; the height that all lines then need."""
        pad, header = self._style.gap(3), self._header_height()
        inner = width - 2 * pad
        lines = self.text.lines_height()
        bar = self.text.horizontalScrollBar().sizeHint().height() if self._widest > inner else 0
        self.text.setGeometry(pad, header, inner, lines + bar)
        height = header + lines + max(bar, pad)
        self.resize(width, height)
        self._place_header()
        return height

    def _header_height(self) -> int:
        return self._style.gap(8)

    def _place_header(self) -> None:
        pad, height = self._style.gap(3), self._header_height()
        size = self.copy.sizeHint()
        self.copy.setGeometry(self.width() - size.width() - pad // 2, (height - size.height()) // 2, *size.toTuple())
        self._language.setGeometry(pad, 0, max(self.width() - size.width() - 2 * pad, 0), height)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_panel(painter, self.rect(), self._style.code_background, self._style)
