"""Palettization against coremltools' own, against brute force, and at the edges of what a checkpoint may hold."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from export.halves import Source, WeightError
from export.palettize import Bits, Palettized, palettize
from tests.export.test_kmeans import brute_force_cost


def rows_of_different_scale(rows: int, columns: int, seed: int = 0) -> NDArray[np.float32]:
    """Weights [rows, columns] with heavy tails, as training leaves them."""
    random = np.random.default_rng(seed)
    scale = 0.02 * np.exp(0.4 * random.standard_normal((rows, 1)))
    return (random.standard_t(5, (rows, columns)) * scale).astype(np.float32)


def dense(result: Palettized) -> NDArray[np.float64]:
    """The weights [out, in] that the indices and codebooks stand for."""
    group_size = len(result.indices) // len(result.codebook)
    rows = np.arange(len(result.indices)) // group_size
    return result.codebook.astype(np.float64)[rows[:, None], result.indices]


def halves(weight: NDArray) -> NDArray[np.float64]:
    return weight.astype(np.float16).astype(np.float64)


@pytest.mark.parametrize("bits", [4, 6, 8])
def test_the_error_is_at_most_that_of_coremltools_palettize_weights(bits: Bits) -> None:
    passes = pytest.importorskip("coremltools.optimize.coreml._quantization_passes")
    weight = rows_of_different_scale(64, 400).astype(np.float16)
    theirs = passes.palettize_weights.grouped_channelwise_compress(weight, "KMEANS", bits, 0, 32)
    their_dense = passes.palettize_weights.decompress(theirs).astype(np.float64)
    their_error = float(((halves(weight) - their_dense) ** 2).sum())
    ours = palettize(weight, bits=bits, group_size=32)
    assert their_error * 0.99 < ours.squared_error <= their_error * (1 + 1e-9)


def test_the_reported_errors_are_those_of_the_indices_and_codebook() -> None:
    weight = rows_of_different_scale(32, 200)
    importance = np.random.default_rng(1).random(200).astype(np.float32)
    result = palettize(weight, bits=4, group_size=16, importance=importance)
    deviation = (halves(weight) - dense(result)) ** 2
    assert result.squared_error == pytest.approx(deviation.sum(), rel=1e-9)
    assert result.weighted_error == pytest.approx((deviation * importance).sum(), rel=1e-9)
    assert result.energy == pytest.approx((halves(weight) ** 2).sum(), rel=1e-9)


def test_importance_leads_to_the_weighted_optimum_of_brute_force() -> None:
    random = np.random.default_rng(2)
    weight = random.standard_normal((2, 20)).astype(np.float16)
    importance = random.random(20).astype(np.float32) ** 4
    result = palettize(weight, bits=4, group_size=2, importance=importance)
    order = np.argsort(halves(weight).ravel())
    masses = np.tile(importance.astype(np.float64), 2)[order]
    optimum = brute_force_cost(halves(weight).ravel()[order], masses, 16)
    assert result.weighted_error == pytest.approx(optimum, rel=0.02)  # float16 centroids are a little beside the means
    assert result.weighted_error < 0.9 * palettize(weight, bits=4, group_size=2).squared_error


def test_columns_of_no_importance_do_not_move_the_codebook() -> None:
    weight = rows_of_different_scale(4, 100)
    importance = np.ones(100, np.float32)
    importance[50:] = 0
    partial = palettize(weight, bits=4, group_size=4, importance=importance)
    alone = palettize(weight[:, :50], bits=4, group_size=4)
    np.testing.assert_array_equal(partial.codebook, alone.codebook)
    np.testing.assert_array_equal(partial.indices[:, :50], alone.indices)


@pytest.mark.parametrize("bits", [4, 6, 8])
def test_every_weight_gets_the_nearest_entry_of_its_codebook(bits: Bits) -> None:
    weight = rows_of_different_scale(8, 300)
    result = palettize(weight, bits=bits, group_size=4)
    assert result.indices.max() < 2**bits
    distance = abs(halves(weight) - dense(result))
    for group in range(2):
        rows = slice(4 * group, 4 * group + 4)
        entries = result.codebook[group].astype(np.float64)
        assert (np.diff(entries) >= 0).all()
        nearest = abs(halves(weight)[rows, :, None] - entries).min(axis=2)
        np.testing.assert_array_equal(distance[rows], nearest)


def test_a_format_changes_nothing_but_the_rounding() -> None:
    weight = torch.from_numpy(rows_of_different_scale(8, 64)).bfloat16()
    bits = weight.view(torch.uint16).numpy()
    forms: list[Source | NDArray | torch.Tensor] = [
        weight,
        weight.half(),
        weight.float(),
        weight.float().numpy(),
        Source(bits, "bfloat16"),
    ]
    results = [palettize(form, bits=4, group_size=8) for form in forms]
    for result in results[1:]:
        np.testing.assert_array_equal(result.indices, results[0].indices)
        np.testing.assert_array_equal(result.codebook, results[0].codebook)
        assert result.squared_error == results[0].squared_error


def test_a_transposed_view_gives_what_its_copy_gives() -> None:
    view = rows_of_different_scale(24, 8).T
    np.testing.assert_array_equal(
        palettize(view, bits=4, group_size=8).indices, palettize(view.copy(), bits=4, group_size=8).indices
    )


def test_the_number_of_threads_does_not_change_a_byte() -> None:
    weight = rows_of_different_scale(64, 128)
    one, many = (palettize(weight, bits=6, group_size=8, threads=threads) for threads in (1, 4))
    assert one.indices.tobytes() == many.indices.tobytes()
    assert one.codebook.tobytes() == many.codebook.tobytes()
    assert one.squared_error == many.squared_error


def test_indices_are_written_into_a_mapped_file_and_the_weights_read_from_one(tmp_path: Path) -> None:
    weight = rows_of_different_scale(16, 50).astype(np.float16)
    weight.tofile(tmp_path / "weight")
    mapped = np.memmap(tmp_path / "weight", np.float16, "r", shape=(16, 50))
    indices = np.memmap(tmp_path / "indices", np.uint8, "w+", shape=(16, 50))
    result = palettize(mapped, bits=4, group_size=4, out_indices=indices)
    assert result.indices is indices
    indices.flush()
    expected = palettize(weight, bits=4, group_size=4).indices
    np.testing.assert_array_equal(np.fromfile(tmp_path / "indices", np.uint8).reshape(16, 50), expected)


@pytest.mark.parametrize("values", [[0.0], [1.5], [-0.0, 0.0], [-1.0, 0.0, 2.0], [6e-8, -6e-8]])
def test_few_distinct_values_are_kept_exactly_and_the_codebook_repeats_its_last(values: list[float]) -> None:
    weight = np.resize(np.array(values, np.float16), (2, 12))
    result = palettize(weight, bits=4, group_size=2)
    np.testing.assert_array_equal(dense(result), weight.astype(np.float64))
    assert result.squared_error == 0
    assert (result.codebook[0, len(values) :] == result.codebook[0, len(values) - 1]).all()


def test_bfloat16_below_float16s_smallest_value_becomes_zero() -> None:
    weight = torch.tensor([[1e-30, -1e-30, 3e-8, 1.0]]).bfloat16()
    result = palettize(weight, bits=4, group_size=1)
    np.testing.assert_array_equal(dense(result), [[0.0, 0.0, 2.0**-24, 1.0]])


def test_progress_counts_every_row_once() -> None:
    rows: list[int] = []
    palettize(rows_of_different_scale(24, 8), bits=4, group_size=4, progress=rows.append)
    assert sum(rows) == 24


def test_rows_that_do_not_divide_into_groups_are_refused() -> None:
    with pytest.raises(WeightError, match="33 output rows do not divide into groups of 32: choose"):
        palettize(np.zeros((33, 4), np.float32), bits=4, group_size=32)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_weights_that_float16_cannot_hold_are_counted_and_refused(dtype: torch.dtype) -> None:
    weight = torch.zeros(4, 8, dtype=dtype)
    weight[0, 0] = weight[1, 1] = torch.nan
    weight[2, 2] = -torch.inf
    weight[3, 3] = 70000.0  # already infinite in float16
    large = 0 if dtype == torch.float16 else 1
    unfit = Source.of(weight).unfit()
    assert (unfit.nan, unfit.infinite, unfit.too_large) == (2, 2 - large, large)
    with pytest.raises(WeightError, match="2 NaN"):
        palettize(weight, bits=4, group_size=4)


@pytest.mark.parametrize("largest", [65504.0, 65519.99])
def test_the_largest_weights_that_float16_can_hold_are_kept(largest: float) -> None:
    weight = torch.tensor([[largest, -largest, 0.0]], dtype=torch.float32)
    assert not Source.of(weight).unfit()
    np.testing.assert_array_equal(dense(palettize(weight, bits=4, group_size=1)), [[65504.0, -65504.0, 0.0]])


@pytest.mark.parametrize("importance", [[1.0, -1.0], [0.0, 0.0], [np.nan, 1.0], [1.0]])
def test_unusable_importance_is_refused(importance: list[float]) -> None:
    with pytest.raises(ValueError, match="importance must"):
        palettize(np.ones((2, 2), np.float32), bits=4, group_size=2, importance=np.array(importance, np.float32))
