"""Palettization against coremltools' `palettize_weights`: the same tensors, the same run, one table and one JSON line.

    python -m benchmarks.palettize [--write] [--rows 1024] [--bits 4 6 8] [--threads N]

The tensors have the columns and the first rows of Falcon-7B's four kinds of weight: rows of different scale and heavy
tails, rounded to bfloat16 as its checkpoint is, and once with all digits of float16, which is harder. Both sides get
the same float16 array. coremltools runs as it does by default, in one process, and without the cost of a program
around it; CPU seconds are compared as well, which neither a second core nor a busy machine flatters. Compiling is not
timed with the work, but told apart.
"""

import argparse
import json
import logging
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.record import check_clean, make_record, write_record
from export.palettize import Palettized, palettize

GROUP_SIZE = 32
TENSORS = {  # name: rows, columns, rounded to
    "query_key_value": (4672, 4544, torch.bfloat16),
    "dense": (4544, 4544, torch.bfloat16),
    "dense_h_to_4h": (18176, 4544, torch.bfloat16),
    "dense_4h_to_h": (4544, 18176, torch.bfloat16),
    "dense, float16": (4544, 4544, torch.float16),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    tensor: str
    shape: tuple[int, int]
    bits: int
    ours_weights_per_second: float
    theirs_weights_per_second: float
    speedup: float  # of wall-clock rates
    speedup_per_cpu_second: float
    error_ratio: float  # our squared error by theirs
    relative_error: float  # our squared error by the sum of squares


def make_weight(rows: int, columns: int, dtype: torch.dtype, seed: int) -> NDArray[np.float16]:
    """Row scales log-normal around 0.02, one weight in 500 eight times larger, rounded to `dtype` and then float16."""
    generator = torch.Generator().manual_seed(seed)
    scale = 0.02 * torch.exp(0.4 * torch.randn(rows, 1, generator=generator))
    weight = torch.randn(rows, columns, generator=generator) * scale
    weight *= torch.where(torch.rand(weight.shape, generator=generator) < 0.002, 8.0, 1.0)
    return weight.to(dtype).half().numpy()


def timed(work: Callable[[], Any], times: int) -> tuple[Any, float, float]:
    """The result, and the median wall-clock and CPU seconds of all threads, over `times` runs."""
    wall, cpu = [], []
    for _ in range(times):
        cpu_start, start = time.process_time(), time.perf_counter()
        result = work()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - cpu_start)
    return result, statistics.median(wall), statistics.median(cpu)


def compare(name: str, weight: NDArray[np.float16], bits: Any, threads: int) -> Row:
    from coremltools.optimize.coreml._quantization_passes import palettize_weights

    ours, wall, cpu = timed(lambda: palettize(weight, bits=bits, group_size=GROUP_SIZE, threads=threads), 5)
    theirs, their_wall, their_cpu = timed(
        lambda: palettize_weights.grouped_channelwise_compress(weight, "KMEANS", bits, 0, GROUP_SIZE), 1
    )
    assert isinstance(ours, Palettized)
    return Row(
        tensor=name,
        shape=weight.shape,
        bits=bits,
        ours_weights_per_second=weight.size / wall,
        theirs_weights_per_second=weight.size / their_wall,
        speedup=their_wall / wall,
        speedup_per_cpu_second=their_cpu / cpu,
        error_ratio=squared_error(weight, ours.codebook, ours.indices)
        / squared_error(weight, theirs.lut.reshape(len(ours.codebook), -1), theirs.indices),
        relative_error=ours.squared_error / ours.energy,
    )


def squared_error(weight: NDArray[np.float16], codebook: NDArray[np.float16], indices: NDArray[Any]) -> float:
    """One yardstick for both: the sum of (weight - codebook[group, index])², group by group."""
    total = 0.0
    for group, entries in enumerate(codebook.astype(np.float64)):
        rows = slice(group * GROUP_SIZE, (group + 1) * GROUP_SIZE)
        total += float(((weight[rows] - entries[indices[rows].astype(np.intp)]) ** 2).sum())
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1024, help="rows of each tensor at 4 bits, a quarter above (1024)")
    parser.add_argument("--bits", type=int, nargs="+", default=[4, 6, 8], choices=[4, 6, 8])
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="threads of ours (all cores)")
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    args = parser.parse_args()
    if args.write:
        check_clean()
    logging.disable(logging.WARNING)  # coremltools tells at import what it was not tested with

    start = time.perf_counter()
    palettize(np.zeros((1, 1), np.float16), bits=4, group_size=1)
    first_call_seconds = time.perf_counter() - start

    rows = []
    print(f"{'tensor':<16} {'shape':>13} {'bits':>4} {'ours M/s':>9} {'theirs M/s':>10} {'times':>6}", end="")
    print(f" {'per CPU s':>9} {'error/theirs':>12} {'error':>8}")
    for bits in args.bits:
        for seed, (name, (height, width, dtype)) in enumerate(TENSORS.items()):
            wanted = args.rows if bits == 4 else max(args.rows // 4, GROUP_SIZE)
            weight = make_weight(min(height, wanted) // GROUP_SIZE * GROUP_SIZE, width, dtype, seed)
            row = compare(name, weight, bits, args.threads)
            rows.append(row)
            print(
                f"{name:<16} {weight.shape[0]:>6}x{width:<6} {bits:>4} {row.ours_weights_per_second / 1e6:>9.1f}",
                end="",
            )
            print(
                f" {row.theirs_weights_per_second / 1e6:>10.2f} {row.speedup:>6.1f} {row.speedup_per_cpu_second:>9.1f}",
                end="",
            )
            print(f" {row.error_ratio:>12.6f} {row.relative_error:>8.2e}", flush=True)
    record = make_record(
        "palettize",
        ("coremltools", "numba", "numpy", "torch"),
        {
            "group_size": GROUP_SIZE,
            "threads": args.threads,
            "first_call_seconds": first_call_seconds,  # compiles, or loads what an earlier run compiled
            "rows": [asdict(row) for row in rows],
        },
    )
    print(json.dumps(record))
    if args.write:
        print(write_record(record))


if __name__ == "__main__":
    main()
