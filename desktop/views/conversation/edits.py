"""Edits: what stands in the editors of messages while they are changed."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QObject, QTimer, Signal

_DELAY = 400  # ms: typing is not written to the disk key by key


class Edits(QObject):
    """Texts by the messages' ids, whether a widget shows them now or not."""

    changed = Signal(int, object)  # message, what stands in its editor; None: it was closed

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._texts: dict[int, str] = {}
        self._untold: set[int] = set()
        self._timer = QTimer(self, singleShot=True, interval=_DELAY)
        self._timer.timeout.connect(self.flush)

    def set_all(self, texts: Mapping[int, str]) -> None:
        """Those of another chat. What changed before must have been told: see `flush`."""
        self._texts = dict(texts)

    def text(self, message: int) -> str | None:
        """What stands in the editor of a message; None where there is none."""
        return self._texts.get(message)

    def set(self, message: int, text: str | None) -> None:
        """What stands there now; None: the editor was closed."""
        if text is None:
            self._texts.pop(message, None)
        else:
            self._texts[message] = text
        self._untold.add(message)
        self._timer.start()

    def flush(self) -> None:
        """Tell at once what changed since it was told."""
        self._timer.stop()
        untold, self._untold = self._untold, set()
        for message in untold:
            self.changed.emit(message, self._texts.get(message))
