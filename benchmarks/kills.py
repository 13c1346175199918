"""Kill an export at random moments, run it again each time, and compare the bundle with one that was left alone.

    python -m benchmarks.kills CHECKPOINT [--kills 10] [--seed 0] [--write]

Linux or macOS. Moments are drawn evenly from the time that the undisturbed export took, the earliest first: every
stage is hit. Whether a finished tensor was made again is seen by its time of change.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.record import check_clean, checkpoint_command, make_record, write_record


def start(checkpoint: Path, output: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "export", str(checkpoint), "--output", str(output), "--max-kl", "100"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file, by path."""
    found = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            with file.open("rb") as stream:
                found[file.relative_to(folder).as_posix()] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


def finished_tensors(output: Path) -> dict[str, int]:
    """When each finished tensor was finished."""
    folder = output.parent / f".{output.name}.falconet-work" / "tensors"
    return {f.parent.name: f.stat().st_mtime_ns for f in folder.glob("*/tensor.json") if f.parent.suffix != ".partial"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    args = parser.parse_args()
    if args.write:
        check_clean()
    folder = Path(tempfile.mkdtemp(prefix="kills-", dir=args.checkpoint.parent))
    try:
        begun = time.perf_counter()
        if start(args.checkpoint, folder / "alone").wait():
            raise SystemExit("the undisturbed export failed; run it by hand to see why")
        seconds = time.perf_counter() - begun
        print(f"undisturbed: {seconds:.0f} s", flush=True)
        generator, redone, half = random.Random(args.seed), 0, 0
        moments = sorted(generator.uniform(1, seconds) for _ in range(args.kills))
        output = folder / "killed"
        for number, after in enumerate(moments):
            before = finished_tensors(output)
            child = start(args.checkpoint, output)
            try:
                child.wait(after)
                print(f"run {number + 1}: finished before its kill at {after:.1f} s", flush=True)
                shutil.rmtree(output)
                continue
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGKILL)
                child.wait()
            now = finished_tensors(output)
            redone += sum(before[name] != now.get(name) for name in before)
            half += output.exists()
            print(f"run {number + 1}: killed after {after:.1f} s, {len(now)} tensors finished", flush=True)
        if start(args.checkpoint, output).wait():
            raise SystemExit("the export after the kills failed; run it by hand to see why")
        same = hashes(output) == hashes(folder / "alone")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    figures = {
        "model": args.checkpoint.name,
        "checkpoint": checkpoint_command(args.checkpoint),
        "kills": args.kills,
        "same_bytes": same,
    }
    figures |= {"finished_tensors_made_again": redone, "half_bundles_seen": half, "undisturbed_seconds": seconds}
    record = make_record("kills", ("coremltools", "numba", "numpy", "torch"), figures)
    print(json.dumps(record))
    if args.write:
        print(write_record({**record, "benchmark": f"kills-{args.checkpoint.name}"}))
    if not same or redone or half:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
