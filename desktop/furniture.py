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
_PARTS = (  # of about the same time each: who leaves early waits for one of them at most
    "desktop.store.store",
    "desktop.engine",
    "desktop.views.conversation.view",
    "desktop.controllers.models",
    "desktop.desk",
)


class Furniture(QObject):
    """The chats, the model and what joins them to the window, brought in once the window was seen.

    Loading their modules takes longer than all before it, so a thread does it while the window answers.
    """

    def __init__(self, shell: Shell, folder: Path, application: QApplication) -> None:
        super().__init__(shell)
        self.refusal: UserFacingError | ImportError | None = None  # why there is nothing to show
        self._shell, self._folder, self._application = shell, folder, application
        self._desk: Desk | None = None
        self._leaving = threading.Event()
        self._loading = threading.Thread(target=_load, args=(self._leaving,), daemon=True)
        self._beat = QTimer(self, interval=_BEAT_MS)
        self._beat.timeout.connect(self._open_when_loaded)

    def bring(self) -> None:
        """Open the chats and begin; where they cannot be opened, leave with `refusal`."""
        if self._loading.ident is None:
            self._loading.start()
            self._beat.start()

    def _open_when_loaded(self) -> None:
        if self._loading.is_alive():
            return
        self._beat.stop()
        try:
            from desktop.desk import Desk

            self._desk = Desk(self._shell, self._folder, self._application)
        except (UserFacingError, ImportError) as error:
            self.refusal = error
            self._application.exit(1)
            return
        self._desk.begin()
        settle()

    def clear(self) -> None:
        """Keep what was written and end all that runs."""
        self._beat.stop()
        self._leaving.set()
        if self._loading.ident is not None:
            self._loading.join()  # an interpreter that ends in the middle of an import of Qt's modules crashes
        if self._desk is not None:
            self._desk.close()


def _load(leaving: threading.Event) -> None:
    with contextlib.suppress(ImportError):  # the window's thread meets it again, and tells it
        for name in _PARTS:
            if leaving.is_set():
                return
            import_module(name)
