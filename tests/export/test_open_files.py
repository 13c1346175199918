"""An export has more files open than macOS allows a program at first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import patience
from tests.conftest import Checkpoints

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="export does not run on Windows")

FEW = 32  # files: Python and its libraries run with these, two layers' tensors do not
ENOUGH = 200

EXPORT = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
from export.__main__ import main
sys.exit(main([{source!r}, "--output", {output!r}, "--no-verify"]))
"""


def export(checkpoint: Path, output: Path, soft: int, hard: str | int) -> subprocess.CompletedProcess[str]:
    script = EXPORT.format(soft=soft, hard=hard, source=str(checkpoint), output=str(output))
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=patience.SECONDS, check=False
    )


def test_a_low_limit_is_raised(checkpoints: Checkpoints, tmp_path: Path) -> None:
    hard = "resource.getrlimit(resource.RLIMIT_NOFILE)[1]"
    done = export(checkpoints("7b"), tmp_path / "bundle", FEW, hard)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "bundle" / "manifest.json").exists()


def test_a_limit_that_cannot_be_raised_is_one_sentence_where_it_is_too_low(
    checkpoints: Checkpoints, tmp_path: Path
) -> None:
    done = export(checkpoints("7b"), tmp_path / "bundle", FEW, FEW)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: The export has more files open at once than this system")
    assert not (tmp_path / "bundle").exists()
    enough = export(checkpoints("7b"), tmp_path / "bundle", ENOUGH, ENOUGH)
    assert enough.returncode == 0, enough.stderr
