"""Stage: the real window with a real store and the real engine over a data folder of its own, brought into a state."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication, QEvent, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QApplication, QWidget

from desktop.desk import Desk
from desktop.settings import Settings, SettingsFile
from desktop.shell import Shell
from desktop.views.conversation.work import work
from desktop.views.theme import theme
from runtime import GenerationOptions, SamplingConfig
from screenshots.stored import Conversation, write

SIZE = QSize(1180, 760)
GREEDY = GenerationOptions(sampling=SamplingConfig(temperature=0))
_PATIENCE_SECONDS = 120
_SOME_WORDS = 20  # characters
_SHADOW, _TITLE_BAR = 32, 36  # pixels
_QUIET_SECONDS = 0.4
_WORKER = "runtime.engines.worker"


class Stage:
    """One window. Nothing in it is set up: what is seen was typed, loaded, answered or imported."""

    def __init__(self, application: QApplication, folder: Path, **settings: Any) -> None:
        """`folder`: for the user's data, empty; `settings`: fields of desktop.settings.Settings."""
        SettingsFile(folder / "settings.json").save(
            replace(Settings(), **{"theme": "light", "language": "en"} | settings)
        )
        self._application = application
        self.folder = folder
        self.shell = Shell(application, folder)
        self.desk = Desk(self.shell, folder)
        self.window = self.shell.window
        self.window.resize(SIZE)

    def begin(self) -> None:
        """Show the window and load the model that the settings name."""
        self.window.show()
        self.desk.begin()
        self.until(lambda: self.desk.host.status.kind == "ready")
        self.window.activateWindow()

    def end(self) -> None:
        """Close the window and all that runs for it."""
        self.window.close()
        self.desk.close()
        self.window.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)

    def until(self, happened: Callable[[], bool]) -> None:
        """Let the window work until then. Raises TimeoutError after two minutes."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while not happened():
            if time.monotonic() > end:
                raise TimeoutError(f"the window did not come so far within {_PATIENCE_SECONDS} s")
            self._application.processEvents()
            time.sleep(0.002)

    def rest(self, seconds: float = _QUIET_SECONDS) -> None:
        """Let the window draw formulas and the colours of code, which another thread makes, and so long more."""
        drawn: list[bool] = []
        for rounds in (1, 2):  # what is there by then may ask for more
            work().submit(lambda: True, self, lambda _, done: drawn.append(done))
            self.until(lambda rounds=rounds: len(drawn) == rounds)  # type: ignore[misc]
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() > end)

    def keep(self, conversations: list[Conversation]) -> None:
        """Import stored conversations, as a user does, in place of the empty chat of the start; the first is shown."""
        empty = [chat.id for chat in self.desk.store.chats()]
        self.desk.transfer.load(write(conversations, self.folder / "chats.json"))
        self.window.banner.dismiss()
        self.desk.store.delete(empty)
        self.desk.chats.refresh()
        self.window.composer.setFocus()

    def new_chat(self) -> None:
        """Begin a chat in which the model takes the likeliest token: the picture is the same each time."""
        self.desk.chats.begin()
        chat = self.desk.conversation.chat
        assert chat is not None
        self.desk.store.set_options(chat.id, GREEDY)
        self.desk.conversation.refresh()

    def ask(self, question: str, *, wait: bool = True) -> None:
        """Type a question, send it, and wait for the end of its answer."""
        self.window.composer.edit.setPlainText(question)
        self.window.composer.button.click()
        if wait:
            self.until(self.idle)

    def idle(self) -> bool:
        """Whether no answer is being written in the chat that is shown."""
        chat = self.desk.conversation.chat
        return chat is None or self.desk.answers.in_chat(chat.id) is None

    def answer_has_begun(self) -> bool:
        """Whether some words of an answer are there."""
        chat = self.desk.conversation.chat
        answer = None if chat is None else self.desk.answers.in_chat(chat.id)
        return answer is not None and len(self.desk.answers.text(answer) or "") > _SOME_WORDS

    def show_actions(self) -> None:
        """Go with the keyboard to the last message, which shows what can be done with it."""
        self.window.composer.setFocus()
        self.desk.view.list.setFocus(Qt.FocusReason.BacktabFocusReason)

    def kill_engine(self) -> None:
        """End the process that runs the model, as the system does when memory runs out."""
        for pid in model_processes():
            os.kill(pid, signal.SIGKILL)

    def picture(self, *above: QWidget, rest: bool = True) -> QImage:
        """What is seen now: the window, and the dialogs `above` it in a frame as a desktop draws one.

        `rest`: wait until what is drawn beside the window's thread is there.
        """
        if rest:
            self.rest()
        whole = self.window.grab().toImage()
        painter = QPainter(whole)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for dialog in above:
            box = dialog.rect()
            box.moveCenter(self.window.rect().center() + QPoint(0, _TITLE_BAR // 2))
            _frame(painter, box, dialog.windowTitle())
            painter.drawPixmap(box.topLeft(), dialog.grab())
        painter.end()
        return whole


@contextmanager
def stage(application: QApplication, folder: Path, **settings: Any) -> Iterator[Stage]:
    """A window that has begun and ends afterwards. See Stage."""
    made = Stage(application, folder, **settings)
    try:
        made.begin()
        yield made
    finally:
        made.end()


def _frame(painter: QPainter, box: QRect, title: str) -> None:
    """A shadow, a bar with the title, and an edge."""
    whole = box.adjusted(0, -_TITLE_BAR if title else 0, 0, 0)
    painter.setPen(Qt.PenStyle.NoPen)
    for spread in range(_SHADOW, 0, -2):
        painter.setBrush(QColor(0, 0, 0, 1 + 6 * (_SHADOW - spread) // _SHADOW))
        painter.drawRoundedRect(whole.adjusted(-spread, 8 - spread, spread, 8 + spread), spread, spread)
    painter.setPen(theme().color("outline"))
    painter.setBrush(theme().color("sidebar"))
    painter.drawRect(QRectF(whole).adjusted(-0.5, -0.5, 0.5, 0.5))
    painter.setPen(theme().color("text"))
    painter.setFont(theme().font(bold=True))
    painter.drawText(QRect(whole.topLeft(), QSize(whole.width(), _TITLE_BAR)), Qt.AlignmentFlag.AlignCenter, title)


def model_processes() -> list[int]:
    """Ids of the processes that run a model for this one."""
    command = ["ps", "-axww", "-o", "pid=,ppid=,command="]
    listed = subprocess.run(command, capture_output=True, text=True, errors="replace", check=True).stdout
    rows = (line.split(maxsplit=2) for line in listed.splitlines())
    return [int(pid) for pid, parent, *words in rows if int(parent) == os.getpid() and _WORKER in " ".join(words)]
