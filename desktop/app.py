"""The application: one QApplication, its theme, language and settings, and the window, from start to quit."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from desktop.errors import DesktopError
from desktop.furniture import Furniture
from desktop.instance import SingleInstance
from desktop.interrupts import Interrupts
from desktop.screen import check_screen
from desktop.shell import Shell
from desktop.views.bugs import contained
from desktop.views.theme import theme

_UNSEEN_MS = 500  # after which a window that is not painted, as it is covered or small, is furnished all the same

MARK = Path(__file__).with_name("views") / "marks" / "falconet.svg"


class FirstPaint(QObject):
    """An event filter that calls each of `then` once, after the first paint of what it watches."""

    def __init__(self, then: Sequence[Callable[[], None]], parent: QObject) -> None:
        super().__init__(parent)
        self._then = then

    @contained
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            watched.removeEventFilter(self)
            for call in self._then:
                QTimer.singleShot(0, call)  # the children are drawn with it, before the loop comes round
        return False


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
    begin_at_home()
    application = make_application(sys.argv[:1])
    _check_folder(folder)
    instance = SingleInstance(folder, application)
    if not instance.begin():
        if instance.raise_first():
            return 0
        if not instance.take_over():
            raise DesktopError(
                f"Another Falconet holds {folder} and does not answer: end it, or choose another --data."
            )
    shell = Shell(application, folder)
    furniture = Furniture(shell, folder, application)
    instance.raiseRequested.connect(shell.window.bring_to_front)
    interrupts = Interrupts(shell.window.close, application)
    shell.window.installEventFilter(FirstPaint([call for call in (painted, furniture.bring) if call], shell))
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


def begin_at_home() -> None:
    """File panels begin in the current folder: of a program that Finder starts that is the root of the disk."""
    here = Path.cwd()
    if here == Path(here.anchor):
        os.chdir(Path.home())


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
