"""What stands in the window is loaded while the window answers, and its thread is the only one to define Qt's classes.

A class of Qt's that another thread defines while an event is handled may crash PySide: one start in a hundred on a busy
machine (docs/decisions/026-classes-of-qt.md).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests import patience


def test_a_thread_loads_most_of_it_but_no_class_of_qt_s(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.desktop.watched_start", str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=patience.SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["elsewhere"] == []
    assert {"numpy", "tokenizers", "markdown_it", "pygments", "sqlite3", "ssl"} <= set(seen["threaded"])
    assert 1 <= seen["most"] <= 12, "so many at once hold the window up: load them in more steps"
