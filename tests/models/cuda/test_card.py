"""The table kernel, and launches that begin while those before them end, on a card: at true widths, many times over."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("triton", reason="triton is not installed: it exists for Linux on x86-64 and ARM only")

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.random_falcon import SHAPES, random_falcon
from models.compressed import LutWeight
from models.cuda.step import Stage
from models.cuda.table import Factors, TableMatrix, beside, card_kernels, product, stacked, table_matrix
from models.cuda.ways import Ways
from runtime.backends.cuda import CudaBackend
from runtime.backends.graphs import RecordedCall

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA card")

CARD = torch.device("cuda", 0)
ROUNDED = 2e-5  # relative; tensor cores cut off where they add
HALF = 1e-3  # of factors that are float16
REPEATS = 300


def weight_of(rows: int, columns: int, bits: int) -> LutWeight:
    with CARD:
        packed = torch.randint(0, 256, (rows, columns * bits // 8), dtype=torch.uint8)
        return LutWeight(packed, torch.randn(rows // 32, 1 << bits).half(), index_bits=bits)


def matrix_of(weight: LutWeight) -> TableMatrix:
    found = table_matrix(weight, card_kernels)
    assert found is not None
    return found


def check(got: Tensor, wanted: Tensor, vectors: int) -> None:
    assert float((got.double() - wanted).norm() / wanted.norm()) < (ROUNDED if vectors <= 8 else HALF)


WAYS = [
    Ways(tables=card_kernels, early=early, **more)
    for more in ({}, {"normed": True}, {"combined": True}, {"normed": True, "combined": True})
    for early in (False, True)
]


def check_alike(found: Sequence[npt.NDArray[np.float32]]) -> None:
    """Scores by Triton's kernels, and by each of `WAYS`: near, and the same bits where launches begin early."""
    wanted, *others = found
    for got, early in zip(others[::2], others[1::2], strict=True):
        assert divergence(wanted, got) < 1e-4
        assert np.array_equal(got, early)


def divergence(wanted: npt.NDArray[np.float32], got: npt.NDArray[np.float32]) -> float:
    """KL(wanted || got) in nats, of scores."""
    other, true = (F.log_softmax(torch.from_numpy(scores).double(), 0) for scores in (got, wanted))
    return float(F.kl_div(other, true, log_target=True, reduction="sum"))


@pytest.mark.parametrize("vectors", [1, 2, 4, 7, 16, 32])
@pytest.mark.parametrize(
    ("rows", "columns", "bits"),
    [(4672, 4544, 4), (4544, 18176, 4), (18176, 4544, 4), (9216, 8192, 4), (65024, 4544, 8)],
)
def test_a_product_is_that_of_the_expanded_weight_each_time(rows: int, columns: int, bits: int, vectors: int) -> None:
    weight = weight_of(rows, columns, bits)
    matrix = matrix_of(weight)
    x = torch.randn(vectors, columns, device=CARD)
    factors = Factors(matrix=matrix, x=x.to(matrix.reads(vectors)))
    first = product(factors)
    check(first, x.double() @ weight.dense(torch.float32).double().T, vectors)
    repeated = RecordedCall(lambda: product(factors), torch.cuda.graph_pool_handle())
    for _ in range(REPEATS):
        assert repeated.repeat().equal(first)
    assert not matrix.counters.any()


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("vectors", [1, 3, 16])
def test_joined_products_are_both_each_time(vectors: int, early: bool) -> None:
    weights = [
        weight_of(rows, columns, 4) for rows, columns in [(4672, 4544), (18176, 4544), (4544, 4544), (4544, 18176)]
    ]
    one, two, three, four = (matrix_of(weight) for weight in weights)
    x = torch.randn(vectors, 4544, device=CARD)
    x = x.to(one.reads(vectors))

    def block() -> Tensor:
        first, wide = stacked(
            Factors(matrix=one, x=x), Factors(matrix=two, x=x, gelu=True, dtype=four.reads(vectors)), early=early
        )
        return beside(
            Factors(matrix=three, x=first[:, :4544].contiguous().to(three.reads(vectors)), added=x.float()),
            Factors(matrix=four, x=wide),
            early=early,
        )

    exact = [weight.dense(torch.float32).double() for weight in weights]
    first, wide = x.double() @ exact[0].T, F.gelu(x.double() @ exact[1].T)
    wanted = x.double() + first[:, :4544] @ exact[2].T + wide @ exact[3].T
    got = block()
    check(got, wanted, vectors)
    repeated = RecordedCall(block, torch.cuda.graph_pool_handle())
    for _ in range(REPEATS):
        assert repeated.repeat().equal(got)


@pytest.mark.parametrize("shape", ["7b", "40b"])
def test_steps_by_tables_score_as_triton_s_do_and_the_same_where_they_begin_early(
    shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SHAPES, "short", replace(SHAPES[shape], num_layers=4))
    model = random_falcon("short", "lut4", CARD)
    stages = [Stage(CARD, 0, 4)]
    everyone = [
        CudaBackend(copy.deepcopy(model), stages),
        *(CudaBackend(model, stages, ways) for ways in WAYS),  # with the same weights, which have their kernels
    ]
    states = [[backend.new_state() for _ in range(9)] for backend in everyone]
    generator = np.random.default_rng(0)
    for length in (40, 1, 1, 3, 8, *[1] * 60):
        tokens = generator.integers(0, 65024, length).tolist()
        check_alike([backend.feed(tokens, own[0]) for backend, own in zip(everyone, states, strict=True)])
    for count in (2, 9):
        feeds = generator.integers(0, 65024, count).tolist()
        batches = (
            backend.feed_batch([([token], state) for token, state in zip(feeds, own[:count], strict=True)])
            for backend, own in zip(everyone, states, strict=True)
        )
        for scores in zip(*batches, strict=True):
            check_alike(scores)
