"""Threads of torch: a program whose work is a small model computes on one; a library's user keeps theirs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import patience
from tests.conftest import Bundles

CODE = """
import sys
import torch
from runtime.backends import threads
from runtime.engines.local import LocalEngine

torch.set_num_threads(3)
folder, most = sys.argv[1:]
threads._SMALL = int(most) if most else threads._SMALL
with LocalEngine.open(folder, backend="torch") as engine:
    before = torch.get_num_threads()
    threads.suit_threads(engine.bundle, engine.backend)
    print(before, torch.get_num_threads())
"""


@pytest.mark.parametrize(
    ("named", "most", "told"),
    [(None, "", "3 1"), ("3", "", "3 3"), (None, "10", "3 3")],
    ids=["small", "the user says how many", "large"],
)
def test_a_small_model_has_one_thread(bundles: Bundles, named: str | None, most: str, told: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    if named is not None:
        environment["OMP_NUM_THREADS"] = named
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(bundles("7b", "lut4")), most],
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
        timeout=patience.SECONDS,
        check=True,
    )
    assert done.stdout.strip() == told
