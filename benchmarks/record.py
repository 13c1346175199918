"""What every result file says beside its figures: command, machine, versions, commit; no folders of the machine."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
_LOAD_BEFORE = os.getloadavg()[0] if hasattr(os, "getloadavg") else None  # of others: nothing is measured yet


def machine() -> dict[str, Any]:
    """System, processor and cores."""
    cpu = platform.processor() or platform.machine()
    if (info := Path("/proc/cpuinfo")).exists():
        cpu = next((line.split(": ")[1] for line in info.read_text().splitlines() if "model name" in line), cpu)
    return {"system": platform.system(), "arch": platform.machine(), "cpu": cpu, "cores": os.cpu_count()}


def commit() -> str | None:
    """The checked-out commit, with -dirty where files other than results differ from it; None outside a repository."""
    found, changes = _git("describe", "--always"), _git("status", "--porcelain", "--", ":/", ":!results")
    return f"{found}-dirty" if changes else found


def check_clean() -> None:
    """End the program with one sentence unless the commit tells what is measured: before measuring, and at the end."""
    found = commit()
    if found is None or found.endswith("-dirty"):
        raise SystemExit("error: --write keeps only what a commit describes; commit your changes, then measure again.")


def _git(*arguments: str) -> str | None:
    found = subprocess.run(["git", *arguments], cwd=RESULTS.parent, capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else None


def command(benchmark: str) -> str:
    """The command that runs, with the names of absolute paths in place of where they lie here."""
    arguments = [Path(given).name if Path(given).is_absolute() else given for given in sys.argv[1:]]
    return shlex.join(["python", "-m", f"benchmarks.{benchmark}", *arguments])


def checkpoint_command(checkpoint: Path) -> str | None:
    """The command that made a checkpoint of `benchmarks.random_checkpoint`; None for any other."""
    index = checkpoint / "model.safetensors.index.json"
    if not index.exists():
        return None
    made: str | None = json.loads(index.read_text(encoding="utf-8")).get("metadata", {}).get("command")
    return made


def measured(
    parts: Mapping[str, Callable[[], dict[str, Any]]], only: Sequence[str] | None
) -> dict[str, dict[str, Any]]:
    """The figures of each of `parts`, or of `only` these, told as they come."""
    figures = {}
    for name, part in parts.items():
        if not only or name in only:
            figures[name] = part()
            print(f"{name:24} {json.dumps(figures[name])}", flush=True)
    return figures


def make_record(benchmark: str, packages: tuple[str, ...], figures: Mapping[str, Any]) -> dict[str, Any]:
    """The whole of a result file."""
    return {
        "benchmark": benchmark,
        "command": command(benchmark),
        "machine": machine(),
        "load_before": _LOAD_BEFORE,  # processes that wanted a core in the last minute; times are fit to quote near 0
        "commit": commit(),
        "versions": {name: version(name) for name in packages} | {"python": platform.python_version()},
        **figures,
    }


def write_record(record: Mapping[str, Any]) -> Path:
    """Keep a record as results/<benchmark>-<machine>.json, unless the tree has changes."""
    check_clean()
    RESULTS.mkdir(exist_ok=True)
    where = f"{platform.system()}-{platform.machine()}-{os.cpu_count()}-cores".lower()
    file = RESULTS / f"{record['benchmark']}-{where}.json"
    file.write_text(json.dumps(record) + "\n", encoding="utf-8")
    return file
