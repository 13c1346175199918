"""Bits are spent where they lower the measured error most, within the size asked for."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from torch import Tensor

from export.budget import choose_formats, measure_errors, parse_size
from export.calibrate import Calibration
from export.progress import SilentProgress
from export.recipes import Recipe, make_recipe
from models.checkpoint import Checkpoint, expected_shapes
from models.errors import CheckpointError
from runtime.errors import OptionError
from tests.models.variants import save


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    folder = tmp_path_factory.mktemp("budget")
    save("7b", folder)
    return Checkpoint.open(folder)


def size(checkpoint: Checkpoint, recipe: Recipe) -> int:
    return sum(recipe.bytes_of(name, shape) for name, shape in expected_shapes(checkpoint.config).items())


def total_error(recipe: Recipe, errors: dict[str, dict[str, float]]) -> float:
    return sum(by_format[recipe.formats.get(name, "lut4")] for name, by_format in errors.items())


@pytest.mark.parametrize(
    ("text", "expected"), [("3.6GB", 3_600_000_000), ("900 MiB", 900 << 20), ("12345", 12345), ("1.5kb", 1500)]
)
def test_sizes_are_read(text: str, expected: int) -> None:
    assert parse_size(text) == expected


@pytest.mark.parametrize("text", ["", "big", "-1GB", "3.6XB", "1e9", "GB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="--size"):
        parse_size(text)


def test_a_shared_codebook_cannot_beat_one_of_a_rows_own(checkpoint: Checkpoint, tmp_path: Path) -> None:
    recipe = make_recipe(checkpoint.config, context_length=64)
    rng = np.random.default_rng(0)
    name = "transformer.h.0.self_attention.dense.weight"
    weight = checkpoint.tensor(name).half().double().numpy()
    inputs = rng.standard_normal((50, weight.shape[1])) * rng.random((weight.shape[1],))
    np.save(tmp_path / f"{name}.npy", inputs.astype(np.float16))
    errors = measure_errors(checkpoint, recipe, Calibration(tmp_path), tmp_path / "errors", SilentProgress())
    assert set(errors) == {n for n, s in expected_shapes(checkpoint.config).items() if len(s) == 2 and ".h." in n}
    assert errors[name]["lut4"] > errors[name]["lut6"] > errors[name]["lut8"] > 0
    # A codebook of 16 per 32 rows cannot beat one of 16 per row, which coremltools' exact k-means finds for the first.
    kmeans1d = pytest.importorskip("coremltools._deps")._kmeans1d
    importance = np.square(inputs.astype(np.float16).astype(np.float32)).mean(0)
    row = weight[0]
    found = kmeans1d.cluster(row, 16, weights=importance.astype(np.float64))
    own = importance @ (row - np.array(found.centroids)[np.array(found.clusters)]) ** 2 / (importance @ row**2)
    assert errors[name]["lut4"] > own


def test_a_budget_is_met_and_no_single_step_more_fits(checkpoint: Checkpoint, tmp_path: Path) -> None:
    recipe = make_recipe(checkpoint.config, context_length=64)
    errors = measure_errors(checkpoint, recipe, Calibration(), tmp_path, SilentProgress())
    least = size(checkpoint, recipe)
    for extra in (0, 9_000, 40_000, 10**9):
        mixed = choose_formats(checkpoint, recipe, errors, least + extra)
        assert size(checkpoint, mixed) <= least + extra
    assert set(mixed.formats.values()) == {"lut8"}


def test_no_other_choice_of_the_same_size_is_much_better(checkpoint: Checkpoint, tmp_path: Path) -> None:
    recipe = make_recipe(checkpoint.config, context_length=64)
    names = [name for name, shape in expected_shapes(checkpoint.config).items() if len(shape) == 2 and ".h.0." in name]
    measured = measure_errors(checkpoint, recipe, Calibration(), tmp_path, SilentProgress())
    errors = {name: measured[name] for name in names}
    budget = size(checkpoint, recipe) + 30_000
    found = total_error(choose_formats(checkpoint, recipe, errors, budget), errors)
    choices = (dict(zip(names, f, strict=True)) for f in itertools.product(("lut4", "lut6", "lut8"), repeat=len(names)))
    others = (dataclasses.replace(recipe, formats=formats) for formats in choices)
    best = min(total_error(other, errors) for other in others if size(checkpoint, other) <= budget)
    assert found <= 1.1 * best


def test_a_size_below_four_bits_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    recipe = make_recipe(checkpoint.config, context_length=64)
    errors = measure_errors(checkpoint, recipe, Calibration(), tmp_path, SilentProgress())
    with pytest.raises(OptionError, match="ask for more"):
        choose_formats(checkpoint, recipe, errors, size(checkpoint, recipe) - 1)


def test_a_size_and_a_format_exclude_each_other(checkpoint: Checkpoint) -> None:
    with pytest.raises(OptionError, match="--size"):
        make_recipe(checkpoint.config, weights="lut6", context_length=64, size_bytes=10**9)


class Interrupted(SilentProgress):
    """Ctrl-C after so many matrices."""

    def __init__(self, matrices: int) -> None:
        self.left = matrices

    def advance(self, done: int) -> None:  # noqa: ARG002
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def test_what_was_measured_before_an_interruption_is_not_measured_again(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_recipe(checkpoint.config, context_length=64)
    whole = measure_errors(checkpoint, recipe, Calibration(), tmp_path / "whole", SilentProgress())
    with pytest.raises(KeyboardInterrupt):
        measure_errors(checkpoint, recipe, Calibration(), tmp_path / "cut", Interrupted(3))
    read: list[str] = []
    tensor = Checkpoint.tensor

    def noted(self: Checkpoint, name: str) -> Tensor:
        read.append(name)
        return tensor(self, name)

    monkeypatch.setattr(Checkpoint, "tensor", noted)
    assert measure_errors(checkpoint, recipe, Calibration(), tmp_path / "cut", SilentProgress()) == whole
    assert read == list(whole)[3:]


@pytest.mark.parametrize("damage", [float("nan"), float("inf")])
def test_a_damaged_matrix_is_named(tmp_path: Path, damage: float) -> None:
    save("7b", tmp_path / "source")
    file, name = tmp_path / "source" / "model.safetensors", "transformer.h.1.mlp.dense_4h_to_h.weight"
    tensors = load_file(file)
    tensors[name][3, 5] = damage
    save_file(tensors, file, metadata={"format": "pt"})
    damaged = Checkpoint.open(tmp_path / "source")
    recipe = make_recipe(damaged.config, context_length=64)
    with pytest.raises(CheckpointError, match=rf"^{name}: Weights that float16 cannot hold .*\.$"):
        measure_errors(damaged, recipe, Calibration(), tmp_path / "errors", SilentProgress())
