"""The collector of cycles leaves the program's own objects alone once the window stands."""

from __future__ import annotations

import subprocess
import sys

from tests import patience

CODE = f"""
import faulthandler
import gc
from PySide6.QtWidgets import QApplication
from desktop import app
from desktop.paths import data_folder

faulthandler.dump_traceback_later({patience.SECONDS / 2}, exit=True)

def look() -> None:
    print(gc.get_freeze_count() > 10 * len(gc.get_objects()))
    QApplication.closeAllWindows()

def look_when_settled() -> None:
    from PySide6.QtCore import QTimer
    if gc.get_freeze_count():
        look()
    else:
        QTimer.singleShot(50, look_when_settled)

raise SystemExit(app.run(data_folder(), look_when_settled))
"""


def test_what_the_program_is_made_of_is_not_walked_again() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, timeout=patience.SECONDS, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "True"), done.stderr
