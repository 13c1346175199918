"""Compressed weights against plain arithmetic on their parts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.compressed import (
    BlockWeight,
    CompressedEmbedding,
    CompressedLinear,
    DenseWeight,
    LutWeight,
    TracedWeight,
    Weight,
    unpack,
)

ROWS, COLUMNS, GROUP = 8, 24, 4


def pack(values: np.ndarray, bits: int) -> torch.Tensor:
    """Pack rows of small integers through numpy's own bit order, low bits first."""
    as_bits = np.unpackbits(values.astype(np.uint8)[..., None], axis=-1, count=bits, bitorder="little")
    return torch.from_numpy(np.packbits(as_bits.reshape(len(values), -1), axis=-1, bitorder="little"))


def lut(bits: int) -> tuple[LutWeight, np.ndarray]:
    rng = np.random.default_rng(bits)
    indices = rng.integers(0, 1 << bits, (ROWS, COLUMNS))
    codebook = rng.standard_normal((ROWS // GROUP, 1 << bits)).astype(np.float16)
    dense = np.stack([codebook[row // GROUP][indices[row]] for row in range(ROWS)])
    return LutWeight(pack(indices, bits), torch.from_numpy(codebook), index_bits=bits), dense


def blocks(bits: int) -> tuple[BlockWeight, np.ndarray]:
    rng = np.random.default_rng(bits)
    values = rng.integers(-(1 << bits - 1), 1 << bits - 1, (ROWS, COLUMNS)).astype(np.int8)
    scale = rng.random((ROWS, 3 if bits == 4 else 1)).astype(np.float16)
    stored = pack(values & 15, 4) if bits == 4 else torch.from_numpy(values)
    dense = values * np.repeat(scale.astype(np.float32), COLUMNS // scale.shape[1], axis=1)
    return BlockWeight(stored, torch.from_numpy(scale)), dense


def dense() -> tuple[DenseWeight, np.ndarray]:
    values = np.random.default_rng(0).standard_normal((ROWS, COLUMNS)).astype(np.float16)
    return DenseWeight(torch.from_numpy(values)), values


FORMS = {
    "lut4": lambda: lut(4),
    "lut6": lambda: lut(6),
    "lut8": lambda: lut(8),
    "int4": lambda: blocks(4),
    "int8": lambda: blocks(8),
    "fp16": dense,
}


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> tuple[Weight, torch.Tensor]:
    weight, expected = FORMS[request.param]()
    assert weight.shape == (ROWS, COLUMNS)
    return weight, torch.from_numpy(expected.astype(np.float32))


def test_dense_gives_back_the_matrix(form: tuple[Weight, torch.Tensor]) -> None:
    weight, expected = form
    torch.testing.assert_close(weight.dense(torch.float32), expected)


def test_rows_are_the_matrixs_rows(form: tuple[Weight, torch.Tensor]) -> None:
    weight, expected = form
    ids = torch.tensor([[7, 0], [3, 3]])
    torch.testing.assert_close(CompressedEmbedding(weight, torch.float32)(ids), expected[ids])


def test_linear_is_a_product_with_the_transpose(form: tuple[Weight, torch.Tensor]) -> None:
    weight, expected = form
    x, bias = torch.randn(2, 3, COLUMNS), torch.randn(ROWS)
    torch.testing.assert_close(CompressedLinear(weight, bias)(x), x @ expected.T + bias, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("bits", [4, 6, 8])
def test_unpack_undoes_packing(bits: int) -> None:
    values = np.random.default_rng(0).integers(0, 1 << bits, (5, COLUMNS))
    assert np.array_equal(unpack(pack(values, bits), bits).numpy(), values)


def test_many_groups_are_expanded_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.compressed._CHUNK_ELEMENTS", GROUP * COLUMNS)
    weight, expected = lut(4)
    torch.testing.assert_close(weight.dense(torch.float32), torch.from_numpy(expected.astype(np.float32)))


def test_a_traced_weight_leaves_a_mark_of_the_right_shape() -> None:
    layer = CompressedLinear(TracedWeight("a.weight", (ROWS, COLUMNS)))
    traced = torch.jit.trace(layer, torch.zeros(1, 2, COLUMNS), check_trace=False)
    assert "falconet::linear" in str(traced.inlined_graph)
    assert layer(torch.zeros(1, 2, COLUMNS)).shape == (1, 2, ROWS)


@pytest.mark.parametrize("bits", [3, 5])
def test_other_index_widths_are_refused(bits: int) -> None:
    with pytest.raises(ValueError, match="index_bits"):
        LutWeight(torch.zeros(2, 2, dtype=torch.uint8), torch.zeros(1, 8), index_bits=bits)


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="codebook"):
        LutWeight(torch.zeros(3, 2, dtype=torch.uint8), torch.zeros(2, 16), index_bits=4)
    with pytest.raises(ValueError, match="scale"):
        BlockWeight(torch.zeros(4, 6, dtype=torch.int8), torch.zeros(4, 4))


@pytest.mark.parametrize("vectors", [1, 2, 5, 6])
@pytest.mark.parametrize("shape", [(1, -1), (-1, 1)], ids=["one sequence", "a batch"])
def test_few_vectors_are_multiplied_as_many_are(vectors: int, shape: tuple[int, int]) -> None:
    values = dense()[1].astype(np.float32)
    weight = DenseWeight(torch.from_numpy(values))
    x, bias = torch.randn(vectors, COLUMNS), torch.randn(ROWS)
    wanted = x.double() @ torch.from_numpy(values).double().T + bias.double()
    got = weight.linear(x.view(*shape, COLUMNS), bias)
    assert got.shape == (*x.view(*shape, COLUMNS).shape[:2], ROWS)
    torch.testing.assert_close(got.view(vectors, ROWS).double(), wanted, rtol=1e-5, atol=1e-5)
