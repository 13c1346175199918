"""WritingEdit: a field for a message, or a system prompt. It takes plain text only, and of a file its contents."""

from __future__ import annotations

from math import ceil
from pathlib import Path

from PySide6.QtCore import QMimeData, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent, QKeyEvent, QTextCursor, QTextOption
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from desktop.attached import LONGEST_LINE, MOST_BYTES, Unfit, UnfitError, attached, longest_line
from desktop.settings import SendWith

_TOLD = 3  # of many files that do not fit, so many have a sentence
_BROKEN_ANYWHERE = 10_000  # characters: breaking a longer line between words takes Qt seconds at each key


class WritingEdit(QPlainTextEdit):
    """Its lines wrap, it is as high as it is made, and what is pasted or dropped comes to `take`. Enter sends what was
    written, or begins a line, as `send_with` says; None where nothing is sent."""

    submitted = Signal()
    refused = Signal(str)  # a sentence for each thing that was not taken

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.send_with: SendWith | None = "enter"
        self.setTabChangesFocus(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # A space that hangs over the end of a line would be scrolled to, though there is no bar to scroll back with.
        self.horizontalScrollBar().rangeChanged.connect(lambda: self.horizontalScrollBar().setRange(0, 0))

    def set_text(self, text: str) -> None:
        """Have `text` instead of what is there, the cursor behind it."""
        self.setPlainText("")  # a long line would be laid out again
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self._allow_for(text)
        self.setPlainText(text)
        self.moveCursor(QTextCursor.MoveOperation.End)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self.send_with is None or event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            super().keyPressEvent(event)
            return
        held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        plain = self.send_with == "enter" and held == Qt.KeyboardModifier.NoModifier
        if plain or held == Qt.KeyboardModifier.ControlModifier:
            self.submitted.emit()
        else:
            self.insertPlainText("\n")
            self.ensureCursorVisible()

    def take(self, data: QMimeData) -> None:
        """Insert files as their contents, or text as it is; tell what a message cannot hold."""
        if files := files_in(data):
            self._take_files(files)
        elif data.hasText():
            self._insert(data.text())
        elif data.hasImage():
            self.refused.emit(self.tr("A message is text only: a picture cannot be part of it."))

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        return source.hasText() or source.hasUrls() or source.hasImage()

    def insertFromMimeData(self, source: QMimeData) -> None:
        self.take(source)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        super().dragEnterEvent(event)
        copy_files(event)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        super().dragMoveEvent(event)
        copy_files(event)

    def dropEvent(self, event: QDropEvent) -> None:
        super().dropEvent(event)  # which inserts
        copy_files(event)

    def _take_files(self, files: list[Path]) -> None:
        parts: list[str] = []
        refused: list[str] = []
        for file in files:
            try:
                part = attached(file)
            except UnfitError as error:
                refused.append(self._sentence(file.name, error.why))
            else:
                if parts and sum(map(len, parts)) + len(part) > MOST_BYTES:
                    refused.append(self._sentence(file.name, "large"))
                else:
                    parts.append(part)
        if parts:
            before, after = self._around()
            above = "\n" * max(0, 2 - _breaks(before[::-1])) if before else ""
            below = "\n" * max(0, 1 - _breaks(after)) if after else ""
            self._insert(above + "\n".join(parts) + below)
        if refused:
            self.refused.emit("\n".join(refused[:_TOLD]))

    def _around(self) -> tuple[str, str]:
        """The text before the cursor and behind it."""
        units, cursor = self.toPlainText().encode("utf-16-le", "surrogatepass"), self.textCursor()  # as Qt counts
        before, after = units[: 2 * cursor.selectionStart()], units[2 * cursor.selectionEnd() :]
        return before.decode("utf-16-le", "surrogatepass"), after.decode("utf-16-le", "surrogatepass")

    def _insert(self, text: str) -> None:
        if longest_line(text) > LONGEST_LINE:
            sentence = self.tr("This text has a line of more than {most} characters: break it into shorter ones.")
            self.refused.emit(sentence.format(most=f"{LONGEST_LINE:,}"))
            return
        self._allow_for(text)
        self.insertPlainText(text)
        self.ensureCursorVisible()

    def _allow_for(self, text: str) -> None:
        if longest_line(text) > _BROKEN_ANYWHERE:
            self.setWordWrapMode(QTextOption.WrapMode.WrapAnywhere)

    def _sentence(self, name: str, why: Unfit) -> str:
        match why:
            case "folder":
                sentence = self.tr("{name} is a folder: choose the files in it.")
            case "gone":
                sentence = self.tr("{name} cannot be read: look whether it is there and may be read.")
            case "large":
                sentence = self.tr("{name} is too long for one message: paste the part that matters.")
            case "picture":
                sentence = self.tr("{name} is a picture, and a message is text only.")
            case "not text":
                sentence = self.tr("{name} is not text in UTF-8: save it as such, or copy its words and paste them.")
            case "long line":
                sentence = self.tr("{name} has a line of more than {most} characters: break it into shorter ones.")
        return sentence.format(name=name, most=f"{LONGEST_LINE:,}")


def height_of(edit: QPlainTextEdit, lines: int) -> int:
    """Pixels that the first `lines` lines of a field need, fewer where there are not so many. As they are laid out: a
    font's metrics are rounded otherwise, and a pixel too few scrolls the first line out of sight."""
    document = edit.document()
    height, left, block = 0.0, lines, document.begin()
    while block.isValid() and left > 0:
        whole = document.documentLayout().blockBoundingRect(block).height()  # which lays it out
        layout = block.layout()
        height += whole if layout.lineCount() <= left else layout.lineAt(left).y()
        left -= layout.lineCount()
        block = block.next()
    return ceil(height) + 1  # Qt scrolls where the last line touches the edge


def files_in(data: QMimeData) -> list[Path]:
    """Files and folders of this computer that are pasted or dropped."""
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()] if data.hasUrls() else []


def copy_files(event: QDropEvent) -> bool:
    """Where files are dragged, take them as copies: whoever gives them may delete what was moved."""
    if not files_in(event.mimeData()):
        return False
    event.setDropAction(Qt.DropAction.CopyAction)
    event.accept()
    return True


def _breaks(text: str) -> int:
    return len(text) - len(text.lstrip("\n"))
