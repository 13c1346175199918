"""Single products on a card: each of Falcon-7B's matrices at lut4 (its head at lut8), by all the ways there are.

    python -m benchmarks.cuda_products [--rows 1 4 8 16 32] [--tiny] [--write]

Ways: Triton's kernels, tables in shared memory (models/cuda/table.cu), and torch's own product in float16. What each
computes is compared with float32's first. Then a recorded graph of some hundred products is repeated, with one copy of
the matrix after another, so that none is in the card's cache when it is read. `--tiny` runs Triton's interpreter on the
CPU at sizes that mean nothing: it proves that nothing is broken but speed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.card import measured_card, told_of
from benchmarks.record import check_clean, make_record, write_record
from models.compressed import LutWeight
from models.cuda.table import Kernels, card_kernels
from models.cuda.weight import CudaWeight, with_cuda_kernels
from runtime.backends.cards import card_bandwidth
from runtime.backends.graphs import RecordedCall

MATRICES = {
    "query, key, value": (4672, 4544, 4),
    "attention's output": (4544, 4544, 4),
    "MLP, up": (18176, 4544, 4),
    "MLP, down": (4544, 18176, 4),
    "head": (65024, 4544, 8),
}
TINY = {"tiny": (64, 128, 4)}
_GROUP = 32
_SPREAD_BYTES = 300 << 20  # of all copies: caches hold 50 to 60 MB
_PRODUCTS = 200  # of a graph, at least: its launch takes some of the time
_REPEATS = 20
_WARM_SECONDS = 0.2
_LIMIT = 2e-3  # relative, of sums of factors rounded to float16

Product = Callable[[], Tensor]


class Contest:
    """One matrix, several copies of it, and R rows of x."""

    def __init__(self, shape: tuple[int, int, int], rows: int, device: torch.device) -> None:
        height, width, bits = shape
        self.device = device
        self.bytes = height * width * bits // 8
        copies = -(-_SPREAD_BYTES // self.bytes) if device.type == "cuda" else 1
        self.weights = [_random_weight(height, width, bits, device) for _ in range(copies)]
        self.x = torch.randn(rows, width, device=device)

    def ways(self) -> dict[str, list[Product]]:
        """Products with each copy."""
        found = {"triton": self._by_kernels(None), "float16": self._dense()}
        if self.device.type == "cuda":
            found["tables"] = self._by_kernels(card_kernels)
        return found

    def _by_kernels(self, kernels: Kernels | None) -> list[Product]:
        products: list[Product] = []
        for weight in self.weights:
            fast = with_cuda_kernels(weight, kernels)
            assert isinstance(fast, CudaWeight)
            if kernels is not None and (fast.matrix.table is None or not fast.matrix.table.takes(len(self.x))):
                return []  # Triton's would run in their place
            laid = fast.reads(len(self.x)).lay(self.x)
            products.append(partial(fast.laid_product, laid))
        return products

    def _dense(self) -> list[Product]:
        """A quarter of the copies: float16 takes four times the bytes."""
        x = self.x.half()
        some = self.weights[: -(-len(self.weights) // 4)]
        return [partial(F.linear, x, weight.dense(torch.float16)) for weight in some]

    def distance(self, product: Product) -> float:
        """Of what the first copy's product computes from float32's, relative."""
        wanted = self.x @ self.weights[0].dense(torch.float32).T
        return float((product().float() - wanted).norm() / wanted.norm())

    def seconds(self, products: Sequence[Product]) -> tuple[float, bool]:
        """Of one product, and whether it has the same bits after many repeats as by itself."""
        rounds = -(-_PRODUCTS // len(products)) if self.device.type == "cuda" else 1

        def all_copies() -> Tensor:
            return [product() for _ in range(rounds) for product in products][-1]

        repeat = all_copies
        if self.device.type == "cuda":
            repeat = RecordedCall(all_copies, torch.cuda.graph_pool_handle()).repeat
            self._warm(repeat)
        found = []
        for _ in range(_REPEATS if self.device.type == "cuda" else 1):
            self._wait()
            begun = time.perf_counter()
            last = repeat()
            self._wait()
            found.append(time.perf_counter() - begun)
        return statistics.median(found) / (rounds * len(products)), last.equal(products[-1]())

    def _warm(self, repeat: Callable[[], object]) -> None:
        """Until the card's clock is up."""
        end = time.perf_counter() + _WARM_SECONDS
        while time.perf_counter() < end:
            repeat()
            self._wait()

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def _random_weight(rows: int, columns: int, bits: int, device: torch.device) -> LutWeight:
    with device:
        indices = torch.randint(0, 256, (rows, columns * bits // 8), dtype=torch.uint8)
        return LutWeight(indices, 0.02 * torch.randn(rows // _GROUP, 1 << bits).half(), index_bits=bits)


def measure(name: str, shape: tuple[int, int, int], rows: int, device: torch.device) -> dict[str, Any]:
    """Microseconds by way, and how many bytes of packed weights a second that is."""
    contest = Contest(shape, rows, device)
    row: dict[str, Any] = {"matrix": name, "shape": shape[:2], "bits": shape[2], "rows": rows}
    for way, products in contest.ways().items():
        if not products:
            continue
        distance = contest.distance(products[0])
        if not distance < _LIMIT:
            row[way] = {"wrong": distance}
            continue
        seconds, same = contest.seconds(products)
        row[way] = {"seconds": seconds, "bytes_per_second": contest.bytes / seconds, "distance": distance, "same": same}
    told = "  ".join(
        f"{way} {figures['seconds'] * 1e6:7.1f} µs {figures['bytes_per_second'] / 1e12:5.2f} TB/s"
        + ("" if figures["same"] else " OTHER BITS")
        if "seconds" in figures
        else f"{way} WRONG by {figures['wrong']:.1g}"
        for way, figures in row.items()
        if isinstance(figures, dict)
    )
    print(f"{name:<20}{rows:>3} rows  {told}", flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 4, 8, 16, 32])
    parser.add_argument("--tiny", action="store_true", help="on the CPU, with TRITON_INTERPRET=1")
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    args = parser.parse_args()
    if args.write:
        check_clean()
    card = measured_card(tiny=args.tiny)
    device = torch.device("cpu") if card is None else torch.device("cuda", 0)
    matrices = TINY if card is None else MATRICES
    with torch.inference_mode():
        found = [measure(name, shape, rows, device) for rows in args.rows for name, shape in matrices.items()]
    figures = {
        "card": told_of(card),
        "copy_bytes_per_second": None if card is None else card_bandwidth(),
        "products": found,
    }
    record = make_record("cuda_products", ("torch", "triton"), figures)
    print(json.dumps(record))
    if args.write:
        print(write_record(record))


if __name__ == "__main__":
    main()
