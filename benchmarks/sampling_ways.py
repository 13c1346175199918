"""Ways to do the two dear parts of sampling, against each other: weights of 65,024 scores, and the edge of top-p.

    python -m benchmarks.sampling_ways [--write] [--rounds 300]

The scores are those of `benchmarks.host_work`. All ways take turns within a round. Each edge is checked: all likelier
tokens hold less than the share. `compiled` needs numba (extra `torch`); its first call, which compiles, stands apart.
BLAS gets one thread. Figures are medians of the thread's CPU time in µs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from time import perf_counter, thread_time
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.host_work import EXPONENTS, ONE_THREAD, VOCABULARY, make_logits
from benchmarks.record import check_clean, make_record, write_record
from runtime.sampling.edges import mass_edge, total_of

Scores = npt.NDArray[np.float32]
TEMPERATURE, SHARE = 0.7, 0.95
BINS = 4096
PIECE = 8192
OUT = np.empty(VOCABULARY, np.float32)


def in_passes(scores: Scores) -> float:
    """As the runtime does: four passes over all scores."""
    np.subtract(scores, scores.max(), out=OUT)
    np.multiply(OUT, np.float32(1 / TEMPERATURE), out=OUT)
    return total_of(np.exp(OUT, out=OUT))


def in_pieces(scores: Scores) -> float:
    """The same passes over pieces that the processor's first cache holds."""
    highest, total = scores.max(), 0.0
    for begin in range(0, len(scores), PIECE):
        piece = OUT[begin : begin + PIECE]
        np.subtract(scores[begin : begin + PIECE], highest, out=piece)
        np.multiply(piece, np.float32(1 / TEMPERATURE), out=piece)
        total += total_of(np.exp(piece, out=piece))
    return total


def make_compiled() -> Callable[[Scores], float] | None:
    """One pass by LLVM: e to the power by Cephes' polynomial, 2e-7 off; None without numba."""
    try:
        import numba
    except ImportError:
        return None
    f = np.float32

    def weigh(scores: Any, highest: Any, factor: Any, out: Any) -> Any:
        bits, total = out.view(np.int32), f(0)
        for place in range(scores.shape[0]):
            value = max((scores[place] - highest) * factor, f(-87))
            power = np.floor(value * f(1.44269504) + f(0.5))
            rest = value - power * f(0.693359375) + power * f(2.12194440e-4)
            series = f(1.98756915e-4)
            for term in (1.39819995e-3, 8.33345191e-3, 4.16657959e-2, 1.66666655e-1, 5.00000012e-1):
                series = series * rest + f(term)
            out[place] = series * rest * rest + rest + f(1)
            bits[place] += np.int32(power) << np.int32(23)
            total += out[place]
        return total

    fused = numba.njit(fastmath=True)(weigh)
    return lambda scores: float(fused(scores, scores.max(), np.float32(1 / TEMPERATURE), OUT))


def by_sample(scores: Scores, weights: Scores, total: float) -> np.float32:
    """As the runtime does: a guess by a sample, then the tokens by which it missed."""
    return mass_edge(scores, weights, SHARE * total, total, rising=True)


def by_sort(scores: Scores, weights: Scores, total: float) -> np.float32:
    """All weights sorted; of equal weights the score of any."""
    falling = np.sort(weights)[::-1]
    last = falling[int(np.cumsum(falling, dtype=np.float64).searchsorted(SHARE * total))]
    return np.float32(scores[np.flatnonzero(weights == last)].min())


def by_histogram(scores: Scores, weights: Scores, total: float) -> np.float32:
    """Masses of bins of equal width; the bin with the edge sorted."""
    highest, lowest = scores.max(), scores.min()
    bins = ((highest - scores) * np.float32((BINS - 1) / (highest - lowest))).astype(np.intp)
    masses = np.bincount(bins, weights=weights, minlength=BINS).cumsum()
    edge_bin = int(masses.searchsorted(SHARE * total))
    return _in_order(scores, weights, np.flatnonzero(bins == edge_bin), SHARE * total - masses[edge_bin - 1])


def by_partition(scores: Scores, weights: Scores, total: float) -> np.float32:
    """Weights parted at two ranks, which a sample guesses, as whole numbers: three times the speed of floats."""
    few = np.sort(weights[::63])[::-1]
    tail = total - np.cumsum(few[::-1], dtype=np.float64)[::-1] * 63
    rank = len(weights) - min(int(tail.searchsorted(SHARE * total)) * 63, len(weights) - 1)
    low, high = max(rank - 2000, 0), min(rank + 2000, len(weights) - 1)
    parted = np.partition(weights.view(np.int32), (low, high)).view(np.float32)
    places = np.flatnonzero((weights >= parted[low]) & (weights <= parted[high]))
    return _in_order(scores, weights, places, SHARE * total - total_of(parted[high + 1 :]))


def _in_order(scores: Scores, weights: Scores, places: npt.NDArray[np.intp], wanted: float) -> np.float32:
    places = places[np.argsort(-scores[places])]
    place = int(np.cumsum(weights[places], dtype=np.float64).searchsorted(wanted))
    return np.float32(scores[places[min(place, len(places) - 1)]])


EDGES = {"sample": by_sample, "sort": by_sort, "histogram": by_histogram, "partition": by_partition}


def is_edge(scores: Scores, weights: Scores, edge: np.float32) -> bool:
    exact = weights.astype(np.float64)
    wanted, off = SHARE * exact.sum(), 1e-6 * exact.sum()
    return bool(exact[scores > edge].sum() < wanted + off and exact[scores >= edge].sum() > wanted - off)


def measure(vectors: list[Scores], rounds: int, weighings: dict[str, Callable[[Scores], float]]) -> dict[str, Any]:
    times: dict[str, list[float]] = {}
    found = dict.fromkeys(EDGES, 0)
    for number in range(rounds):
        scores = vectors[number % len(vectors)]
        for name, weigh in weighings.items():
            begun = thread_time()
            weigh(scores)
            times.setdefault(f"weights: {name}", []).append((thread_time() - begun) * 1e6)
        total = in_passes(scores)
        for name, way in EDGES.items():
            begun = thread_time()
            edge = way(scores, OUT, total)
            times.setdefault(f"edge: {name}", []).append((thread_time() - begun) * 1e6)
            found[name] += is_edge(scores, OUT, edge)
    medians = {name: float(np.median(values)) for name, values in times.items()}
    return {"median_us": medians, "right_edges": {name: count / rounds for name, count in found.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=300, help="rounds in which all ways take turns (300)")
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    args = parser.parse_args()
    if args.write:
        check_clean()
    if ONE_THREAD.items() - os.environ.items():  # BLAS reads them when numpy is loaded
        again = [sys.executable, "-m", "benchmarks.sampling_ways", *sys.argv[1:]]
        raise SystemExit(subprocess.run(again, env=os.environ | ONE_THREAD, check=False).returncode)
    weighings: dict[str, Callable[[Scores], float]] = {"passes": in_passes, "pieces": in_pieces}
    compiled, seconds = make_compiled(), None
    if compiled is not None:
        begun = perf_counter()
        compiled(make_logits(1.0, 0))
        seconds = perf_counter() - begun
        weighings["compiled"] = compiled
    kinds = {}
    for kind, exponent in EXPONENTS.items():
        kinds[kind] = measure([make_logits(exponent, seed) for seed in range(16)], args.rounds, weighings)
        for name, median in kinds[kind]["median_us"].items():
            print(f"{kind:<7} {name:<20} {median:>7.0f} µs", flush=True)
    figures = {"vocabulary": VOCABULARY, "rounds": args.rounds, "compile_seconds": seconds, "kinds": kinds}
    record = make_record("sampling_ways", ("numpy", *(("numba",) if compiled else ())), figures)
    print(json.dumps(record))
    if args.write:
        print(write_record(record))


if __name__ == "__main__":
    main()
