"""Linear quantization against coremltools' symmetric one and against a search over many more scales."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from export.halves import WeightError
from export.quantize import Quantized, _round_to_half, quantize
from tests.export.test_palettize import halves, rows_of_different_scale


def dense(result: Quantized) -> NDArray[np.float64]:
    """The weights [out, in] that the values and scales stand for."""
    block = result.values.shape[1] // result.scale.shape[1]
    return result.values * result.scale.astype(np.float64).repeat(block, axis=1)


@pytest.mark.parametrize(("bits", "block_size"), [(4, 32), (8, None), (8, 64)])
def test_the_error_is_below_that_of_coremltools_linear_symmetric(bits: Literal[4, 8], block_size: int | None) -> None:
    passes = pytest.importorskip("coremltools.optimize.coreml._quantization_passes")
    types = pytest.importorskip("coremltools.converters.mil.mil.types")
    weight = rows_of_different_scale(32, 256).astype(np.float16)
    theirs = passes.linear_quantize_weights.blockwise_compress_by_dtype(
        weight, types.get_nbits_int_builtin_type(bits, True), "LINEAR_SYMMETRIC", [1, block_size or 0]
    )
    their_dense = passes.linear_quantize_weights.decompress(theirs).astype(np.float64)
    their_error = float(((halves(weight) - their_dense) ** 2).sum())
    result = quantize(weight, bits=bits, block_size=block_size)
    assert result.scale.shape == np.shape(theirs.scale)
    assert result.squared_error <= their_error * (0.85 if bits == 4 else 1.0)


def test_the_error_is_within_one_percent_of_a_search_over_a_thousand_scales() -> None:
    weight = rows_of_different_scale(4, 256)
    blocks = halves(weight).reshape(-1, 32)
    best = np.full(len(blocks), np.inf)
    for divisor in np.linspace(6, 16, 1000):
        scale = (abs(blocks).max(axis=1, keepdims=True) / divisor).astype(np.float16).astype(np.float64)
        approximation = np.clip(np.rint(blocks / scale), -8, 7) * scale
        best = np.minimum(best, ((blocks - approximation) ** 2).sum(axis=1))
    assert quantize(weight, bits=4, block_size=32).squared_error <= best.sum() * 1.01


@pytest.mark.parametrize(("bits", "block_size"), [(4, 16), (8, None)])
def test_the_reported_errors_are_those_of_the_values_and_scales(bits: Literal[4, 8], block_size: int | None) -> None:
    weight = rows_of_different_scale(8, 64)
    result = quantize(weight, bits=bits, block_size=block_size)
    assert result.squared_error == pytest.approx(((halves(weight) - dense(result)) ** 2).sum(), rel=1e-9)
    assert result.energy == pytest.approx((halves(weight) ** 2).sum(), rel=1e-6)
    assert result.values.min() >= -(2 ** (bits - 1))
    assert result.values.max() < 2 ** (bits - 1)


def test_every_format_of_the_same_weights_gives_the_same_bytes() -> None:
    weight = torch.from_numpy(rows_of_different_scale(4, 64)).bfloat16()
    first, *others = (quantize(form, bits=4, block_size=32) for form in (weight, weight.half(), weight.float().numpy()))
    for other in others:
        assert first.values.tobytes() == other.values.tobytes()
        assert first.scale.tobytes() == other.scale.tobytes()


def test_the_number_of_threads_does_not_change_a_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export.quantize._CHUNK", 128)
    weight = rows_of_different_scale(33, 64)
    one, many = (quantize(weight, bits=4, block_size=32, threads=threads) for threads in (1, 4))
    assert one.values.tobytes() == many.values.tobytes()
    assert one.scale.tobytes() == many.scale.tobytes()
    assert one.squared_error == many.squared_error


def test_values_are_written_into_a_mapped_file_and_progress_counts_the_rows(tmp_path: Path) -> None:
    weight = rows_of_different_scale(8, 64)
    mapped = np.memmap(tmp_path / "values", np.int8, "w+", shape=(8, 64))
    rows: list[int] = []
    result = quantize(weight, bits=8, block_size=None, out_values=mapped, progress=rows.append)
    assert result.values is mapped
    assert sum(rows) == 8
    mapped.flush()
    expected = quantize(weight, bits=8, block_size=None).values
    np.testing.assert_array_equal(np.fromfile(tmp_path / "values", np.int8).reshape(8, 64), expected)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("value", [0.0, 2.0**-24, 2.0**-20, 65504.0])
def test_blocks_at_the_ends_of_float16s_range_are_kept(bits: Literal[4, 8], value: float) -> None:
    weight = np.zeros((2, 32), np.float32)
    weight[0, ::2], weight[1, ::3] = value, -value
    result = quantize(weight, bits=bits, block_size=16)
    assert (result.scale > 0).all()
    assert np.isfinite(result.scale).all()
    np.testing.assert_allclose(dense(result), weight, rtol=1e-3, atol=2.0**-23)


def test_rounding_to_float16_is_that_of_numpy() -> None:
    random = np.random.default_rng(0)
    halves_above_zero = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(np.float64)
    between = (halves_above_zero[1:] + halves_above_zero[:-1]) / 2  # ties go to the even one
    anywhere = 2.0 ** random.uniform(-26, 15.9, 20000)
    numbers = np.concatenate([halves_above_zero, between, anywhere])
    expected = numbers.astype(np.float16).astype(np.float64)
    np.testing.assert_array_equal([_round_to_half(x) for x in numbers], expected)


def test_columns_that_do_not_divide_into_blocks_are_refused() -> None:
    with pytest.raises(WeightError, match="33 input columns do not divide into blocks of 32: choose"):
        quantize(np.zeros((2, 33), np.float32), bits=4, block_size=32)


def test_weights_that_float16_cannot_hold_are_refused() -> None:
    with pytest.raises(WeightError, match="1 beyond float16's largest value"):
        quantize(np.full((1, 1), 7e4, np.float32), bits=8, block_size=None)
