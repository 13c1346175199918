"""The window as a program that talks by itself, for tests that kill it.

`python -m tests.desktop.talker FOLDER URL BUNDLE` reads a line and begins a child, which opens the window over FOLDER
and asks the service at URL one question after the other; BUNDLE's tokenizer tells how to make answers last, and each is
stopped once it was shown to grow PIECES times. It prints what was committed when `send` returned, how long the answer
is that the window shows, "kept" each time that the window has written down what it showed until then, and why an answer
failed, with which it ends. The child is a fork, which saves importing Qt twenty times; a Mac ends a fork that uses its
frameworks, so there it is a new program, begun with one more argument.
"""

from __future__ import annotations

import os
import subprocess
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
    """Serve one run a line; with a fourth argument, be one."""
    folder, url, bundle = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    options = lasting(bundle)

    def run() -> None:
        tell("started", os.getpid())  # its own first word: its others come after it
        talk(folder, url, options)

    if sys.argv[4:]:
        run()
        return
    for _ in sys.stdin:
        if sys.platform == "darwin":
            command = [sys.executable, "-m", "tests.desktop.talker", *sys.argv[1:], "one run"]
            subprocess.run(command, stdin=subprocess.DEVNULL, check=False)  # it is killed
        else:
            child = os.fork()
            if not child:
                run()
                os._exit(0)
            os.waitpid(child, 0)
        tell("ended")


if __name__ == "__main__":
    main()
