"""An answer's Markdown as blocks: read at once, or beside the window's thread where that takes longer."""

from __future__ import annotations

from concurrent.futures import Future
from functools import partial
from typing import Any, NamedTuple

from PySide6.QtCore import QObject, Signal

from desktop.text import Block, Markdown, typed
from desktop.views.bugs import tell_once
from desktop.views.conversation.work import work

_LONG = 12_000  # characters, of which Markdown reads about 1000 in a millisecond
_CELL = 25  # reading one of a table takes as long as so many


class _Read(NamedTuple):
    blocks: list[Block]
    error: Exception | None  # which a bug raised; the blocks are then the text as it was written


class Reading(QObject):
    """One text at a time, that of the last call: what was asked for while one is read is passed over."""

    came = Signal()  # blocks can be taken

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._markdown = Markdown()
        self._future: Future[Any] | None = None  # what is read now
        self._next: tuple[str, bool] | None = None  # what is read then, and whether that is all of it
        self._blocks: list[Block] | None = None
        self._begun = 0  # how many texts: the number of the one that is read now

    def read(self, text: str, *, final: bool) -> list[Block] | None:
        """The blocks of `text`; None where they come later. `final`: nothing is added to it."""
        self._blocks = None
        letters = self._markdown.unread(text, final=final)
        if self._future is None and letters + _CELL * text.count("|", len(text) - letters) <= _LONG:
            return self._told(self._update(text, final=final))
        self._next = (text, final)
        self._go_on()
        return None

    @property
    def busy(self) -> bool:
        """Whether blocks are still to come, or to be taken."""
        return self._future is not None or self._blocks is not None

    def take(self) -> list[Block] | None:
        """The blocks that came last; None where they were taken, or none came."""
        blocks, self._blocks = self._blocks, None
        return blocks

    def finish(self) -> list[Block] | None:
        """What is still being read, waited for; None where nothing is."""
        if self._future is None:
            return self.take()
        read: _Read = self._future.result()
        if self._next is not None:
            text, final = self._next
            read = self._update(text, final=final)
        self._future = self._next = self._blocks = None
        return self._told(read)

    def _update(self, text: str, *, final: bool) -> _Read:
        """In any thread, one at a time."""
        try:
            return _Read(self._markdown.update(text, final=final), None)
        except Exception as error:  # noqa: BLE001  (told in the window's thread; without Markdown a text can still be read)
            self._markdown = Markdown()
            return _Read(typed(text), error)

    @staticmethod
    def _told(read: _Read) -> list[Block]:
        if read.error is not None:
            tell_once(read.error)
        return read.blocks

    def _go_on(self) -> None:
        if self._future is None and self._next is not None:
            (text, final), self._next = self._next, None
            update = partial(self._update, text, final=final)
            self._begun += 1
            self._future = work().submit(update, self, partial(Reading._came, number=self._begun), text=True)

    def _came(self, read: _Read, *, number: int) -> None:
        if self._future is None or number != self._begun:  # it was waited for, and another may be read by now
            return
        self._future, self._blocks = None, self._told(read)
        self._go_on()
        self.came.emit()
