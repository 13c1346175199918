"""What every result file says beside its figures: command, machine, versions, commit."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """System, processor and cores."""
    cpu = platform.processor() or platform.machine()
    if (info := Path("/proc/cpuinfo")).exists():
        cpu = next((line.split(": ")[1] for line in info.read_text().splitlines() if "model name" in line), cpu)
    return {"system": platform.system(), "arch": platform.machine(), "cpu": cpu, "cores": os.cpu_count()}


def commit() -> str | None:
    """The checked-out commit, with -dirty where files differ from it; None outside a repository."""
    found = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else None


def make_record(benchmark: str, packages: tuple[str, ...], figures: Mapping[str, Any]) -> dict[str, Any]:
    """The whole of a result file."""
    return {
        "benchmark": benchmark,
        "command": f"python -m benchmarks.{benchmark} {' '.join(sys.argv[1:])}".strip(),
        "machine": machine(),
        "commit": commit(),
        "versions": {name: version(name) for name in packages} | {"python": platform.python_version()},
        **figures,
    }


def write_record(record: Mapping[str, Any]) -> Path:
    """Keep a record as results/<benchmark>-<machine>.json."""
    RESULTS.mkdir(exist_ok=True)
    where = f"{platform.system()}-{platform.machine()}-{os.cpu_count()}-cores".lower()
    file = RESULTS / f"{record['benchmark']}-{where}.json"
    file.write_text(json.dumps(record) + "\n", encoding="utf-8")
    return file
