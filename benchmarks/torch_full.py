"""Bundles with all their layers in the torch backend: memory and speed of `python -m runtime bench`, a process each.

    python -m benchmarks.torch_full BUNDLE... [--checkpoint CHECKPOINT] [--write]

Linux only. Resident memory counts pages of the weight file that are mapped; private memory is what no file backs.
Random weights of true shape show memory and time as trained ones do.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.memory_watch import MemoryWatch
from benchmarks.record import check_clean, checkpoint_command, make_record, write_record

BENCH = (
    "--backend",
    "torch",
    "--prompt-tokens",
    "64",
    "--new-tokens",
    "8",
    "--repeats",
    "3",
    "--warm-up",
    "1",
    "--json",
)


def measured(bundle: Path) -> dict[str, Any]:
    """Figures of one bundle."""
    command = [sys.executable, "-m", "runtime", "bench", *BENCH, str(bundle)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        watch = MemoryWatch(child.pid)
        watch.start()
        out, _ = child.communicate()
    if child.returncode:
        raise SystemExit(f"bench failed with exit code {child.returncode}")
    watch.join()
    config = json.loads((bundle / "config.json").read_text(encoding="utf-8"))
    return {
        "bundle": bundle.name,
        "layers": config["num_hidden_layers"],
        "private_bytes": watch.private,
        "resident_bytes": watch.resident,
        "bench": json.loads(out),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", type=Path, nargs="+", metavar="BUNDLE")
    parser.add_argument("--checkpoint", type=Path, help="what the bundles were exported from, for the record")
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    args = parser.parse_args()
    if args.write:
        check_clean()
    rows = []
    for bundle in args.bundles:
        rows.append(measured(bundle))
        private, resident = rows[-1]["private_bytes"] / 1e9, rows[-1]["resident_bytes"] / 1e9
        rate = rows[-1]["bench"]["decode_tokens_per_second"]["median"]
        print(f"{bundle.name}: private {private:.2f} GB, resident {resident:.2f} GB, {rate:.1f} tokens/s", flush=True)
    made = None if args.checkpoint is None else checkpoint_command(args.checkpoint)
    record = make_record("torch_full", ("numba", "numpy", "torch"), {"checkpoint": made, "rows": rows})
    print(json.dumps(record))
    if args.write:
        print(write_record(record))


if __name__ == "__main__":
    main()
