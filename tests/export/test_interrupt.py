"""Ctrl-C stops an export from its first second on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import patience
from tests.conftest import Checkpoints

_PRESS = """
import os, signal, sys
class Press:
    def find_spec(self, name, path=None, target=None):
        if name == {package!r}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)
if "-m" in sys.orig_argv:
    sys.meta_path.insert(0, Press())
"""


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize("package", ["coremltools", "sklearn"])  # the second is imported under a bare `except:`
def test_ctrl_c_while_packages_are_imported_is_not_taken_for_a_missing_package(tmp_path: Path, package: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(_PRESS.format(package=package), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "export", "falcon-tiny-instruct", "--output", str(tmp_path / "bundle")],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=patience.SECONDS,
        check=False,
    )
    assert done.returncode == 130
    assert done.stderr.strip() == "Stopped; run the same command again to go on from here."
    assert not (tmp_path / "bundle").exists()


_PRESS_IN_CONVERSION = """
import os, signal, sys
from coremltools.converters.mil.mil.ops.defs.iOS15.tensor_transformation import reshape
from export.__main__ import main

known, presses = reshape.enforce_volumetric_constraint, [1]

def press(*arguments):
    if presses:
        presses.pop()
        os.kill(os.getpid(), signal.SIGINT)
    return known(*arguments)

reshape.enforce_volumetric_constraint = staticmethod(press)
code = main(sys.argv[1:])
sys.exit(code if not presses else "it was not pressed")
"""


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_ctrl_c_is_heard_where_coremltools_would_take_it_for_a_shape_that_does_not_fit(
    checkpoints: Checkpoints, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", _PRESS_IN_CONVERSION, str(checkpoints("7b")), "--output", str(tmp_path / "bundle")]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=patience.SECONDS, check=False
    )
    assert done.returncode == 130, done.stderr
    assert done.stderr.endswith("\nStopped; run the same command again to go on from here.\n")
    assert not (tmp_path / "bundle").exists()
