"""Packages that are damaged, or do not belong together, are refused in a sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from runtime.errors import UserFacingError
from runtime.mil import PackageError, Program, WeightFileError
from runtime.mil.ops.slicing import slice_by_index
from runtime.mil.proto import message_types


def _no_manifest(folder: Path) -> None:
    (folder / "Manifest.json").unlink()


def _damaged_manifest(folder: Path) -> None:
    (folder / "Manifest.json").write_text("{")


def _manifest_without_root(folder: Path) -> None:
    (folder / "Manifest.json").write_text(json.dumps({"itemInfoEntries": {}}))


def _no_model(folder: Path) -> None:
    (folder / "Data/com.apple.CoreML/model.mlmodel").unlink()


def _damaged_model(folder: Path) -> None:
    path = folder / "Data/com.apple.CoreML/model.mlmodel"
    path.write_bytes(path.read_bytes()[:-40])


def _empty_model(folder: Path) -> None:
    (folder / "Data/com.apple.CoreML/model.mlmodel").write_bytes(b"")


def _model_elsewhere(folder: Path) -> None:
    outside = shutil.copytree(folder / "Data", folder.parent / "outside")
    path = folder / "Manifest.json"
    manifest = json.loads(path.read_text())
    for entry in manifest["itemInfoEntries"].values():
        entry["path"] = str(outside / entry["path"])
    path.write_text(json.dumps(manifest))


def _weights_elsewhere(folder: Path) -> None:
    shutil.copytree(folder / "Data", folder.parent / "outside")
    _change_block(folder, _point_outside)


def _point_outside(block: Any) -> None:
    for op in block.operations:
        for value in op.attributes.values():
            if value.WhichOneof("value") == "blobFileValue":
                value.blobFileValue.fileName = "@model_path/../../../outside/com.apple.CoreML/weights/weight.bin"


def _renamed_constant(folder: Path) -> None:
    _change_block(folder, lambda block: setattr(_first_constant(block).outputs[0], "name", "renamed"))


def _constant_without_value(folder: Path) -> None:
    _change_block(folder, lambda block: _first_constant(block).attributes.pop("val"))


def _first_constant(block: Any) -> Any:
    return next(op for op in block.operations if op.type == "const")


def _change_block(folder: Path, change: Callable[[Any], object]) -> None:
    path = folder / "Data/com.apple.CoreML/model.mlmodel"
    model_pb2, _ = message_types()
    model = model_pb2.Model.FromString(path.read_bytes())
    (block,) = model.mlProgram.functions["main"].block_specializations.values()
    change(block)
    path.write_bytes(model.SerializeToString())


def _no_weights(folder: Path) -> None:
    (folder / "Data/com.apple.CoreML/weights/weight.bin").unlink()


def _cut_weights(folder: Path) -> None:
    path = folder / "Data/com.apple.CoreML/weights/weight.bin"
    path.write_bytes(path.read_bytes()[:-128])


@pytest.mark.parametrize(
    ("damage", "error", "said"),
    [
        (_no_manifest, PackageError, "no Manifest.json"),
        (_damaged_manifest, PackageError, r"Manifest\.json is damaged"),
        (_manifest_without_root, PackageError, r"Manifest\.json is damaged"),
        (_no_model, PackageError, r"model\.mlmodel is missing"),
        (_damaged_model, PackageError, r"model\.mlmodel is damaged"),
        (_empty_model, PackageError, "holds no ML program"),
        (_model_elsewhere, PackageError, "names a file outside the package"),
        (_weights_elsewhere, PackageError, "names a file outside the package"),
        (_renamed_constant, PackageError, r"The program of .*copy\.mlpackage is damaged"),
        (_constant_without_value, PackageError, r"The program of .*copy\.mlpackage is damaged"),
        (_no_weights, WeightFileError, r"Cannot read .*weight\.bin"),
        (_cut_weights, WeightFileError, r"weight\.bin is damaged"),
    ],
)
def test_a_damaged_package_is_refused_in_one_sentence(
    package: Path, tmp_path: Path, damage: Any, error: type[UserFacingError], said: str
) -> None:
    folder = tmp_path / "copy.mlpackage"
    shutil.copytree(package, folder)
    damage(folder)
    with pytest.raises(error, match=said):
        Program.open(folder)


def test_weights_of_another_export_are_refused(package: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy.mlpackage"
    shutil.copytree(package, folder)
    path = folder / "Data/com.apple.CoreML/model.mlmodel"
    model_pb2, _ = message_types()
    model = model_pb2.Model.FromString(path.read_bytes())
    (block,) = model.mlProgram.functions["main"].block_specializations.values()
    (between,) = (
        op for op in block.operations if op.attributes["name"].immediateValue.tensor.strings.values == ["between"]
    )
    between.attributes["val"].type.tensorType.dimensions[0].constant.size = 25
    path.write_bytes(model.SerializeToString())
    with pytest.raises(WeightFileError, match=r"does not belong to its program: .* 480 fp16 where the program has 500"):
        Program.open(folder)


@pytest.mark.parametrize("lists", [{"begin": [0]}, {"end": [1, 1, 1]}, {"squeeze_mask": [True]}])
def test_a_slice_of_another_number_of_axes_is_refused(lists: dict[str, Any]) -> None:
    given: dict[str, Any] = {"begin": [0, 0], "end": [1, 1], "squeeze_mask": [False, False]} | lists
    with pytest.raises(PackageError, match=r"slices \d axes of a tensor that has 2"):
        slice_by_index(torch.zeros(2, 2), **given)
