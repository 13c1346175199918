"""Qt's Python side: what a window that stays open for days rests on."""

from __future__ import annotations

import subprocess
import sys

from tests import patience

CODE = """
import desktop
from PySide6.QtCore import QObject, Signal

class Bell(QObject):
    rung = Signal(object)

bell, heard = Bell(), []
bell.rung.connect(heard.append)
for number in range(20_000):
    bell.rung.emit(number)
print(len(heard))
"""


def test_a_window_outlives_any_number_of_signals() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, timeout=patience.SECONDS, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "20000"), done.stderr
