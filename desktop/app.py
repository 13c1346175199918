"""The application: one QApplication, its theme, language and settings, and the window, from start to quit."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from desktop.errors import DesktopError
from desktop.garbage import settle
from desktop.instance import SingleInstance
from desktop.interrupts import Interrupts
from desktop.screen import check_screen
from desktop.shell import Shell
from desktop.views.theme import theme
from runtime import UserFacingError

if TYPE_CHECKING:
    from desktop.desk import Desk

_BEAT_MS = 10
_UNSEEN_MS = 500  # after which a window that is not painted, as it is covered or small, is furnished all the same

MARK = Path(__file__).with_name("views") / "marks" / "falconet.svg"


class FirstPaint(QObject):
    """An event filter that calls each of `then` once, after the first paint of what it watches."""

    def __init__(self, then: Sequence[Callable[[], None]], parent: QObject) -> None:
        super().__init__(parent)
        self._then = then

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            watched.removeEventFilter(self)
            for call in self._then:
                QTimer.singleShot(0, call)  # the children are drawn with it, before the loop comes round
        return False


class Furniture(QObject):
    """The chats, the model and what joins them to the window, brought in once the window was seen.

    Loading their modules takes longer than all before it, so a thread does it while the window answers.
    """

    def __init__(self, shell: Shell, folder: Path, application: QApplication) -> None:
        super().__init__(shell)
        self.refusal: UserFacingError | ImportError | None = None  # why there is nothing to show
        self._shell, self._folder, self._application = shell, folder, application
        self._desk: Desk | None = None
        self._loading = threading.Thread(target=_load, daemon=True)
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
        if self._desk is not None:
            self._desk.close()


def _load() -> None:
    with contextlib.suppress(ImportError):  # the window's thread meets it again, and tells it
        import_module("desktop.desk")


def make_application(arguments: list[str]) -> QApplication:
    """The QApplication, named and themed. Raises DesktopError where there is no screen."""
    check_screen()
    QApplication.setApplicationName("Falconet")
    QApplication.setApplicationDisplayName("Falconet")
    QApplication.setDesktopFileName("io.github.falconet.Falconet")
    application = QApplication(arguments)
    application.setWindowIcon(QIcon(str(MARK)))
    theme()
    return application


def run(folder: Path, painted: Callable[[], None] | None = None) -> int:
    """Open the window over the data in `folder` and stay until it is closed; the exit code.

    `painted` is called once, when the window was drawn for the first time.
    Raises DesktopError where there is no screen or the folder cannot be written, StoreError where the chats cannot be
    opened, ImportError where a package is missing.
    """
    application = make_application(sys.argv[:1])
    _check_folder(folder)
    instance = SingleInstance(folder, application)
    if not instance.begin():
        if not instance.raise_first():
            raise DesktopError(
                f"Another Falconet holds {folder} and does not answer: quit it, or choose another --data."
            )
        return 0
    shell = Shell(application, folder)
    furniture = Furniture(shell, folder, application)
    instance.raiseRequested.connect(shell.window.bring_to_front)
    interrupts = Interrupts(shell.window.close, application)
    shell.window.installEventFilter(FirstPaint([*([painted] if painted else []), furniture.bring], shell))
    shell.window.show()
    QTimer.singleShot(_UNSEEN_MS, furniture.bring)
    try:
        code = application.exec()
    finally:
        interrupts.end()
        furniture.clear()
        instance.end()
    if furniture.refusal is not None:
        raise furniture.refusal
    return code


def _check_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise DesktopError(
            f"Falconet cannot write to {folder} ({error.strerror}): choose another folder with --data."
        ) from error
