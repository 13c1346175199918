"""Work beside the window's thread: results, errors, and an end that waits for nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
from functools import partial

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.views.conversation.work import work

PROGRAM = """
import threading
from PySide6.QtCore import QCoreApplication, QObject, QTimer
from desktop.views.conversation.work import work
application = QCoreApplication([])
begun = threading.Event()
work().submit(lambda: (begun.set(), threading.Event().wait()), QObject(application), print)
begun.wait()
QTimer.singleShot(0, application.quit)
application.exec()
print("ended")
"""


def test_functions_run_in_order_and_their_results_come_here(qapp: QApplication, qtbot: QtBot) -> None:
    got: list[tuple[int, threading.Thread]] = []
    receiver = QObject(qapp)
    for number in range(3):
        work().submit(partial(abs, number), receiver, lambda _, one: got.append((one, threading.current_thread())))
    qtbot.waitUntil(lambda: len(got) == 3)
    assert got == [(number, threading.current_thread()) for number in range(3)]


def test_what_is_cancelled_or_whose_receiver_is_gone_is_not_told_and_an_error_ends_nothing(
    qapp: QApplication, qtbot: QtBot
) -> None:
    hold = threading.Event()
    receiver, gone, got = QObject(qapp), QObject(), list[str]()
    work().submit(hold.wait, receiver, lambda *_: got.append("first"))
    cancelled = work().submit(lambda: 0, receiver, lambda *_: got.append("cancelled"))
    work().submit(lambda: 0, gone, lambda *_: got.append("gone"))
    work().submit(lambda: 1 // 0, receiver, lambda *_: got.append("error"))
    work().submit(lambda: 0, receiver, lambda *_: got.append("last"))
    cancelled.cancel()
    del gone
    hold.set()
    with qtbot.captureExceptions() as raised:
        qtbot.waitUntil(lambda: "last" in got)
    assert got == ["first", "last"]
    assert [kind for kind, _, _ in raised] == [ZeroDivisionError]


def test_a_program_ends_while_work_goes_on() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "ended\n")
