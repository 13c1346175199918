"""What stands in the window: it comes once the window was seen."""

from __future__ import annotations

import contextlib
import threading
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication

from desktop.garbage import settle
from desktop.shell import Shell
from runtime import UserFacingError

if TYPE_CHECKING:
    from desktop.desk import Desk

_BEAT_MS = 10
_WITHOUT_QT = (
    "desktop.store.store",
    "desktop.store.transfer",
    "desktop.text",
    "runtime.embedded",
    "runtime.engines.process",
    "runtime.engines.remote",
    "runtime.measure.needs",
)
"""What a thread loads: most of the time that loading takes. No class of Qt's may be defined there.

While the window handles an event, PySide looks its objects' classes up in a table, without Python's lock. Each new
class is entered there: one that another thread enters at that moment may crash the program (PySide 6.11,
docs/decisions/026-classes-of-qt.md).
"""

_WITH_QT = (
    "desktop.engine",
    "desktop.views.conversation.controls",
    "desktop.views.conversation.code",
    "desktop.views.conversation.body",
    "desktop.views.conversation.message",
    "desktop.views.conversation.view",
    "desktop.library",
    "desktop.controllers.conversation",
    "desktop.controllers.exports",
    "desktop.controllers.services",
    "desktop.controllers.models",
    "desktop.controllers.chat_settings",
    "desktop.controllers.chats",
    "desktop.desk",
)
"""What the window's thread loads then: one after the other, each in less than a frame or two, events between them."""


class Furniture(QObject):
    """The chats, the model and what joins them to the window, brought in once the window was seen.

    Loading their modules takes longer than all before it, so the window answers meanwhile.
    """

    def __init__(self, shell: Shell, folder: Path, application: QApplication) -> None:
        super().__init__(shell)
        self.refusal: UserFacingError | ImportError | None = None  # why there is nothing to show
        self._shell, self._folder, self._application = shell, folder, application
        self._desk: Desk | None = None
        self._leaving = threading.Event()
        self._loading = threading.Thread(target=_load, args=(self._leaving,), daemon=True)
        self._beat = QTimer(self, interval=_BEAT_MS)
        self._beat.timeout.connect(self._go_on)
        self._parts = iter(_WITH_QT)

    def bring(self) -> None:
        """Open the chats and begin; where they cannot be opened, leave with `refusal`."""
        if self._loading.ident is None:
            self._loading.start()
            self._beat.start()

    def _go_on(self) -> None:
        if self._loading.is_alive():
            return
        self._beat.setInterval(0)  # whenever no event waits
        try:
            part = next(self._parts, None)
            if part is not None:
                import_module(part)
                return
            self._beat.stop()
            self._desk = self._made_desk()
        except (UserFacingError, ImportError) as error:
            self._beat.stop()
            self.refusal = error
            self._application.exit(1)
            return
        self._desk.begin()
        settle()

    def _made_desk(self) -> Desk:
        from desktop.desk import Desk

        return Desk(self._shell, self._folder, self._application)

    def clear(self) -> None:
        """Keep what was written and end all that runs."""
        self._beat.stop()
        self._leaving.set()
        if self._loading.ident is not None:
            self._loading.join()  # an interpreter that ends in the middle of an import may crash
        if self._desk is not None:
            self._desk.close()


def _load(leaving: threading.Event) -> None:
    with contextlib.suppress(ImportError):  # the window's thread meets it again, and tells it
        for name in _WITHOUT_QT:
            if leaving.is_set():
                return
            import_module(name)
