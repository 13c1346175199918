"""A process that gets no more memory says so in a sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# What is imported later would take memory, too.
LIMITED = """
import resource, sys
from {program}.__main__ import main
import {imported}
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 8_000_000,) * 2)
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's own word on what a process takes")
@pytest.mark.parametrize(
    ("program", "imported", "given"),
    [
        ("runtime", "runtime.cli.commands", ("complete", "none", "--prompt", "Hi", "--json-schema")),
        ("export", "export.pipeline", ("falcon-tiny-instruct", "--output", "none", "--calibrate")),
    ],
)
def test_memory_that_ran_out_is_told_in_a_sentence(
    program: str, imported: str, given: tuple[str, ...], tmp_path: Path
) -> None:
    large = tmp_path / "large"
    with large.open("wb") as stream:
        stream.truncate(15_000_000)
    code = LIMITED.format(program=program, imported=imported)
    done = subprocess.run([sys.executable, "-c", code, *given, large], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: The machine's memory ran out; close other programs")
    assert done.stderr.count("\n") == 1
