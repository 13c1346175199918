"""Process start to the window's first paint, without a model, on an offscreen platform.

    python -m benchmarks.desktop_start [--write] [--starts 9]

Each start is a new process with a data folder of its own, timed from before it is created until the window was drawn
for the first time (goal: under 1.0 s on 2 cores), and until the chats were there too: their modules are loaded after
the first paint, and the collector of cycles is settled last. The first start reads files that the later ones find in
the system's cache; it is recorded apart and is no part of the medians.
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
import gc, sys, time
from desktop.__main__ import main

def painted():
    print(time.monotonic(), len(sys.modules), flush=True)
    wait_for_chats()

def wait_for_chats():
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication
    if gc.get_freeze_count():
        print(time.monotonic(), flush=True)
        QApplication.exit(0)
    else:
        QTimer.singleShot(10, wait_for_chats)

raise SystemExit(main(["--data", sys.argv[1]], painted))
"""


def start() -> tuple[float, float, int]:
    """Seconds until the paint and until the chats were there, and how many Python modules were loaded at the paint."""
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
    painted, modules, opened = child.stdout.split()
    return float(painted) - begun, float(opened) - begun, int(modules)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=9, help="starts after the first (9)")
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    args = parser.parse_args()
    if args.write:
        check_clean()
    first, _, modules = start()
    starts = [start() for _ in range(args.starts)]
    seconds = [painted for painted, _, _ in starts]
    median = statistics.median(seconds)
    opened = statistics.median(chats for _, chats, _ in starts)
    print(f"first start {first:.3f} s; then median {median:.3f} s, {min(seconds):.3f} to {max(seconds):.3f} s")
    print(f"chats after {opened:.3f} s in the median")
    print(f"goal under {GOAL_SECONDS} s: {'reached' if median < GOAL_SECONDS else 'missed'}; {modules} modules loaded")
    record = make_record(
        "desktop_start",
        ("PySide6-Essentials",),
        {
            "first_seconds": first,
            "median_seconds": median,
            "seconds": seconds,
            "median_seconds_to_chats": opened,
            "goal_seconds": GOAL_SECONDS,
            "modules": modules,
        },
    )
    print(json.dumps(record))
    if args.write:
        print(write_record(record))


if __name__ == "__main__":
    main()
