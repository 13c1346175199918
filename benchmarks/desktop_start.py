"""Process start to the window's first paint, without a model, on an offscreen platform.

    python -m benchmarks.desktop_start [--write] [--starts 9]

Each start is a new process with a data folder of its own, timed from before it is created until the window was drawn
for the first time (goal: under 1.0 s on 2 cores). The first start reads files that the later ones find in the system's
cache; it is recorded apart and is no part of the median.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks.record import check_clean, make_record, write_record

GOAL_SECONDS = 1.0
_CHILD = """
import sys, time
from desktop.__main__ import main

def painted():
    print(time.monotonic(), len(sys.modules), flush=True)
    from PySide6.QtWidgets import QApplication
    QApplication.closeAllWindows()

raise SystemExit(main(["--data", sys.argv[1]], painted))
"""


def start() -> tuple[float, int]:
    """Seconds of one start, and how many Python modules it had loaded by then."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        child = subprocess.run(
            [sys.executable, "-c", _CHILD, folder],
            env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
    painted, modules = child.stdout.split()
    return float(painted) - begun, int(modules)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=9, help="starts after the first (9)")
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    args = parser.parse_args()
    if args.write:
        check_clean()
    first, modules = start()
    seconds = [start()[0] for _ in range(args.starts)]
    median = statistics.median(seconds)
    print(f"first start {first:.3f} s; then median {median:.3f} s, {min(seconds):.3f} to {max(seconds):.3f} s")
    print(f"goal under {GOAL_SECONDS} s: {'reached' if median < GOAL_SECONDS else 'missed'}; {modules} modules loaded")
    record = make_record(
        "desktop_start",
        ("PySide6-Essentials",),
        {
            "first_seconds": first,
            "median_seconds": median,
            "seconds": seconds,
            "goal_seconds": GOAL_SECONDS,
            "modules": modules,
        },
    )
    print(json.dumps(record))
    if args.write:
        print(write_record(record))


if __name__ == "__main__":
    main()
