"""The session on a card: what each step says is kept, whatever becomes of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.card_session import STEPS, Step, session, told
from benchmarks.cuda import TRIED, Plan, sections


def test_a_step_that_fails_or_hangs_costs_itself_only(tmp_path: Path) -> None:
    steps = [
        Step("wrong", 60, ("no_such_module",)),
        Step("hangs", 1, ("timeit", "-n", "1", "-r", "1", "import time; time.sleep(600)")),
        Step("right", 60, ("json.tool", "--help")),
    ]
    table = session(steps, tmp_path, 600)
    assert [line.split()[:2] for line in table.splitlines() if not line.startswith(" ")] == [
        ["wrong", "failed"],
        ["hangs", "no"],
        ["right", "done,"],
    ]
    assert (tmp_path / "table.txt").read_text() == table + "\n"
    assert "No module named no_such_module" in (tmp_path / "wrong.txt").read_text()
    assert "usage:" in (tmp_path / "right.txt").read_text()


def test_no_step_begins_when_time_is_up(tmp_path: Path) -> None:
    assert session([Step("late", 60, ("platform",))], tmp_path, 1).split(maxsplit=1)[1] == "no time left"
    assert not (tmp_path / "late.txt").exists()


def test_the_table_has_figures_failures_and_ends_of_tests() -> None:
    text = """warning: x
7b lut4: {"decode": {"tokens_per_second": 395.0, "share_of_floor": 0.34}, "batch": {"tokens_per_second": 4500.0}} (40 s)
7b lut4, tables: {"failed": "RuntimeError: no: {}"} (3 s)
head                  1 rows  triton    23.2 µs  1.90 TB/s
{"benchmark": "cuda"}
2 passed in 40.1s
"""
    assert told(text) == [
        "decode: 395.0 tokens/s, 34% of the floor",
        "batch: 4500.0 tokens/s",
        "7b lut4, tables: RuntimeError: no: {}",
        "head                  1 rows  triton    23.2 µs  1.90 TB/s",
        "2 passed in 40.1s",
    ]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card")
def test_without_a_card_it_ends_with_one_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.card_session", tmp_path / "kept"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["error: no card is usable here; `python -m runtime devices` says why."]
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("step", [step for step in STEPS if step.command[0] == "pytest"], ids=lambda step: step.name)
def test_every_step_of_tests_finds_some(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("triton", reason="triton is not installed: it exists for Linux on x86-64 and ARM only")
    monkeypatch.chdir(Path(__file__).parents[1])
    # Not in a process of its own, which would import torch anew for each step.
    assert pytest.main([*step.command[1:], "--collect-only", "-p", "no:cacheprovider"]) is pytest.ExitCode.OK


def test_every_figure_of_the_session_is_a_section_of_the_benchmark() -> None:
    known = {f"{shape} lut4, {tried}" for shape in ("7b", "40b") for tried in TRIED}
    known |= set(sections(Plan("", torch.device("cpu"), 1, 1, 1, 1, 1, None, 1.0)))
    assert {step.command[-1] for step in STEPS if step.command[:2] == ("benchmarks.cuda", "--only")} <= known
