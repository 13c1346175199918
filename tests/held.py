"""Models that load no further than a test allows."""

from __future__ import annotations

from pathlib import Path

import pytest

_BEGIN = """
import os, sys, time
if "-P" in sys.orig_argv:  # as the processes that run a model are started
    while not os.path.exists({flag!r}):
        time.sleep(0.01)
"""


class HeldModels:
    """Each process that runs a model waits as it begins, until `go_on`. It is for one test."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        """`folder` gets the code that those processes begin with."""
        self._flag = folder / "go on"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(_BEGIN.format(flag=str(self._flag)), encoding="utf-8")
        patch.setenv("PYTHONPATH", str(folder))

    def go_on(self) -> None:
        """Those that wait load, and those to come do not wait."""
        self._flag.touch()
