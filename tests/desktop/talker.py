"""The window as a program that talks by itself, for tests that kill it.

`python -m tests.desktop.talker FOLDER URL BUNDLE` reads a line, forks, and the child opens the window over FOLDER and
asks the service at URL one question after the other; BUNDLE's tokenizer tells how to make answers last, and each is
stopped. It prints what was committed when `send` returned, and how long the answer is that the window shows, with the
time. Forking saves importing Qt twenty times.
"""
# ruff: noqa: T201 - what it prints is its output

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
from runtime import GenerationOptions
from tests.desktop.engines import lasting


def talk(folder: Path, url: str, options: GenerationOptions) -> None:
    """Open the window and ask until killed."""
    from PySide6.QtCore import QTimer

    application = make_application(["falconet"])
    shell = Shell(application, folder)
    desk = desktop.desk.Desk(shell, folder)
    shell.window.show()
    desk.chats.begin()
    assert desk.conversation.chat is not None
    desk.store.set_options(desk.conversation.chat.id, options)
    desk.conversation.refresh()
    desk.host.load(RemoteModel(url=url, name="falcon-tiny-instruct"))
    numbers = count(time.time_ns())

    def ask() -> None:
        assert desk.conversation.chat is not None
        if desk.answers.in_chat(desk.conversation.chat.id) is None:
            text = f"Question {next(numbers)}?"
            desk.conversation.send(text)
            print("committed", text, flush=True)
        else:
            desk.conversation.stop()

    def grew(_message: object, progress: AnswerProgress) -> None:
        print("shown", progress.request, len(progress.text), time.time(), flush=True)

    desk.answers.grew.connect(grew)
    timer = QTimer(interval=1500)
    timer.timeout.connect(ask)
    timer.start()
    QTimer.singleShot(0, ask)
    application.exec()


def main() -> None:
    """Serve one run a line."""
    folder, url, options = Path(sys.argv[1]), sys.argv[2], lasting(Path(sys.argv[3]))
    for _ in sys.stdin:
        child = os.fork()
        if not child:
            talk(folder, url, options)
            os._exit(0)
        print("started", child, flush=True)
        os.waitpid(child, 0)
        print("ended", flush=True)


if __name__ == "__main__":
    main()
