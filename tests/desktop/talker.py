"""The window as a program that talks by itself, for tests that kill it.

`python -m tests.desktop.talker FOLDER URL BUNDLE` reads a line, forks, and the child opens the window over FOLDER and
asks the service at URL one question after the other; BUNDLE's tokenizer tells how to make answers last, and each is
stopped once it was shown to grow PIECES times. It prints what was committed when `send` returned, how long the answer
is that the window shows, "kept" each time that the window has written down what it showed until then, and why an answer
failed, with which it ends. Forking saves importing Qt twenty times.
"""

from __future__ import annotations

import os
import sys
import time
from itertools import count
from pathlib import Path

import desktop.desk
from desktop.app import make_application
from desktop.engine import AnswerProgress, RemoteModel
from desktop.shell import Shell
from desktop.store.records import StoredMessage
from runtime import GenerationOptions
from tests.desktop.engines import lasting

PIECES = 45


def tell(*words: object) -> None:
    """A line, in one call: where Python does not buffer, `print` writes word by word, and a kill could come between."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def talk(folder: Path, url: str, options: GenerationOptions) -> None:
    """Open the window and ask until killed."""
    from PySide6.QtCore import QTimer

    application = make_application(["falconet"])
    shell = Shell(application, folder)
    desk = desktop.desk.Desk(shell, folder)
    shell.window.show()
    desk.host.load(RemoteModel(url=url, name="falcon-tiny-instruct"))
    numbers = count(time.time_ns())
    shown: list[int] = []  # the answer, as often as it grew

    def ask() -> None:
        # In a chat of its own: where the window is drawn slowly, the answer before may have filled the context.
        desk.chats.begin()
        assert desk.conversation.chat is not None
        desk.store.set_options(desk.conversation.chat.id, options)
        desk.conversation.refresh()
        text = f"Question {next(numbers)}?"
        shown.clear()
        desk.conversation.send(text)
        tell("committed", text)

    def grew(_message: object, progress: AnswerProgress) -> None:
        tell("shown", progress.request, len(progress.text))
        shown.append(progress.request)
        if len(shown) == PIECES:
            QTimer.singleShot(0, desk.conversation.stop)

    def ended(message: StoredMessage) -> None:
        if message.state == "failed":  # so would the next: whoever waits for answers that grow would wait for ever
            tell("failed", message.error)
            os._exit(1)
        QTimer.singleShot(0, ask)

    desk.answers.grew.connect(grew)
    desk.answers.ended.connect(ended)
    desk.answers._timer.timeout.connect(lambda: tell("kept"))  # called after the window's own slot
    QTimer.singleShot(0, ask)
    application.exec()


def main() -> None:
    """Serve one run a line."""
    folder, url, options = Path(sys.argv[1]), sys.argv[2], lasting(Path(sys.argv[3]))
    for _ in sys.stdin:
        child = os.fork()
        if not child:
            tell("started", os.getpid())  # its own first word: its others come after it
            talk(folder, url, options)
            os._exit(0)
        os.waitpid(child, 0)
        tell("ended")


if __name__ == "__main__":
    main()
