"""Export a checkpoint of true size in a child process: seconds by stage, private and resident memory, bytes.

    python -m benchmarks.full_size CHECKPOINT [--weights lut4] [--name falcon-7b-32-layers] [--write]

Linux only: memory is read from /proc every 50 ms. Private memory is RssAnon: what no file backs. A random checkpoint of
true shape shows time, memory and size; its quality figures mean nothing, so --max-kl is wide here.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.memory_watch import MemoryWatch
from benchmarks.record import check_clean, checkpoint_command, make_record, write_record


def run_export(checkpoint: Path, output: Path, weights: str) -> dict[str, Any]:
    """Figures of one export."""
    command = [sys.executable, "-m", "export", str(checkpoint), "--output", str(output), "--weights", weights]
    # A cache of its own: hashes that an earlier run remembered would flatter this one.
    environment = {**os.environ, "FALCONET_CACHE": str(output.parent / "cache")}
    begun = time.perf_counter()
    with subprocess.Popen(
        [*command, "--max-kl", "100", "--progress", "json"],
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as child:
        watch = MemoryWatch(child.pid)
        watch.start()
        stages: dict[str, float] = {}
        assert child.stderr is not None
        for line in child.stderr:
            if not line.startswith("{"):
                raise SystemExit(line.strip())
            event = json.loads(line)
            if event["event"] == "error":
                raise SystemExit(f"error: {event['message']}")
            if event["event"] == "finish":
                stages[event["stage"]] = event["seconds"]
                print(f"{event['stage']:<12}{event['seconds']:>9.1f} s", flush=True)
    seconds = time.perf_counter() - begun
    if child.returncode:
        raise SystemExit(f"the export failed with exit code {child.returncode}")
    watch.join()
    return {
        "weights": weights,
        "seconds": seconds,
        "seconds_by_stage": stages,
        "private_bytes": watch.private,
        "resident_bytes": watch.resident,
        "bundle_bytes": sum(file.stat().st_size for file in output.rglob("*") if file.is_file()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--weights", default="lut4")
    parser.add_argument("--name", help="what the result is kept as (default: the checkpoint's folder)")
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    args = parser.parse_args()
    if args.write:
        check_clean()
    folder = Path(tempfile.mkdtemp(prefix="full-size-", dir=args.checkpoint.parent))
    try:
        figures = run_export(args.checkpoint, folder / "bundle", args.weights)
        manifest = json.loads((folder / "bundle" / "manifest.json").read_text())
        figures["exact_max_kl"] = manifest["parity"]["exact_max_kl"]
        config = json.loads((args.checkpoint / "config.json").read_text())
        figures["layers"] = config["num_hidden_layers"]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    name = args.name or args.checkpoint.name
    figures = {"model": name, "checkpoint": checkpoint_command(args.checkpoint), **figures}
    record = make_record("full_size", ("coremltools", "numba", "numpy", "torch"), figures)
    print(
        f"{name}: {figures['seconds']:.0f} s, private {figures['private_bytes'] / 1e9:.2f} GB, "
        f"resident {figures['resident_bytes'] / 1e9:.2f} GB, bundle {figures['bundle_bytes'] / 1e9:.3f} GB"
    )
    print(json.dumps(record))
    if args.write:
        print(write_record({**record, "benchmark": f"full_size-{name}"}))


if __name__ == "__main__":
    main()
