"""The program as it starts, with a look at which thread loads what: `python -m tests.desktop.watched_start FOLDER`.

Prints JSON: `elsewhere`, Qt's classes and modules that another thread than the window's brought in; `threaded`, modules
that one brought in; `most`, the most classes of Qt's that came between two rounds of events.
"""

from __future__ import annotations

import builtins
import faulthandler
import gc
import json
import sys
import threading
from collections import Counter
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication

from desktop import app
from tests import patience

elsewhere: set[str] = set()
threaded: set[str] = set()
rounds = Counter[int]()
_round = 0
_build: Any = builtins.__build_class__


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, *_: object) -> None:
        if not _on_window_s_thread():
            threaded.add(name)
            if name.startswith("PySide6"):
                elsewhere.add(name)


def _on_window_s_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _watched_build(*arguments: Any, **keywords: Any) -> Any:
    made = _build(*arguments, **keywords)
    if isinstance(made, type(QObject)):
        rounds[_round] += 1
        if not _on_window_s_thread():
            elsewhere.add(made.__qualname__)
    return made


def _look() -> None:
    """Once the window was painted, and after each event from then on, until all stands in it."""
    global _round
    _round += 1
    if gc.get_freeze_count():
        QApplication.closeAllWindows()
    else:
        QTimer.singleShot(0, _look)


if __name__ == "__main__":
    faulthandler.dump_traceback_later(patience.SECONDS / 2, exit=True)
    builtins.__build_class__ = _watched_build
    sys.meta_path.insert(0, _Finder())
    code = app.run(Path(sys.argv[1]), _look)
    json.dump({"elsewhere": sorted(elsewhere), "threaded": sorted(threaded), "most": max(rounds.values())}, sys.stdout)
    raise SystemExit(code)
