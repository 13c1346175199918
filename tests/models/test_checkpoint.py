"""Checkpoints on disk: single, sharded, old, damaged."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import FalconForCausalLM

from models.checkpoint import Checkpoint, expected_shapes
from models.errors import CheckpointError
from tests.models.variants import save

NORM = "transformer.h.1.input_layernorm.weight"
EMBEDDING = "transformer.word_embeddings.weight"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save("7b", tmp_path)
    return tmp_path


def edit(folder: Path, **changes: torch.Tensor | None) -> None:
    """Rewrite model.safetensors with tensors replaced, added, or (None) removed; `__` stands for a dot."""
    tensors = load_file(folder / "model.safetensors")
    for key, value in changes.items():
        name = key.replace("__", ".")
        if value is None:
            del tensors[name]
        else:
            tensors[name] = value
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def test_shards_give_what_one_file_gives(tmp_path: Path) -> None:
    one, many = tmp_path / "one", tmp_path / "many"
    save("40b", one)
    save("40b", many, max_shard_size="60KB")
    assert len(list(many.glob("*.safetensors"))) > 2
    a, b = Checkpoint.open(one), Checkpoint.open(many)
    assert set(a) == set(b) == set(expected_shapes(a.config))
    assert all(torch.equal(a.tensor(name), b.tensor(name)) for name in a)


@pytest.mark.parametrize("sizes", [("60KB", "1GB"), ("1GB", "60KB")])
def test_of_a_model_saved_over_another_that_one_is_read_which_transformers_reads(
    tmp_path: Path, sizes: tuple[str, str]
) -> None:
    for seed, size in enumerate(sizes):
        save("7b", tmp_path, seed, max_shard_size=size)
    expected = FalconForCausalLM.from_pretrained(tmp_path).state_dict()
    checkpoint = Checkpoint.open(tmp_path)
    assert all(torch.equal(checkpoint.tensor(name), expected[name]) for name in checkpoint)


def test_a_layer_may_be_split_over_two_shards(tmp_path: Path) -> None:
    save("7b", tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    names = sorted(tensors)
    cut = next(i for i, name in enumerate(names) if "h.1.mlp.dense_h_to_4h" in name)
    shards = {"model-00001-of-00002.safetensors": names[:cut], "model-00002-of-00002.safetensors": names[cut:]}
    assert {"h.1" in " ".join(part) for part in shards.values()} == {True}
    for file, part in shards.items():
        save_file({name: tensors[name] for name in part}, tmp_path / file)
    (tmp_path / "model.safetensors").unlink()
    weight_map = {name: file for file, part in shards.items() for name in part}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    whole = Checkpoint.open(tmp_path)
    assert all(torch.equal(whole.tensor(name), tensors[name]) for name in names)


@pytest.mark.parametrize("sharded", [False, True])
def test_old_bin_files_are_read(folder: Path, sharded: bool) -> None:
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    if sharded:
        names = list(tensors)
        parts = {"pytorch_model-00001-of-00002.bin": names[:5], "pytorch_model-00002-of-00002.bin": names[5:]}
        for file, part in parts.items():
            torch.save({name: tensors[name] for name in part}, folder / file)
        weight_map = {name: file for file, part in parts.items() for name in part}
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weight_map}))
    else:
        torch.save(tensors, folder / "pytorch_model.bin")
    checkpoint = Checkpoint.open(folder)
    assert all(torch.equal(checkpoint.tensor(name), tensors[name]) for name in tensors)


def test_bin_files_of_torch_before_1_6_are_read(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    checkpoint = Checkpoint.open(folder)
    assert all(torch.equal(checkpoint.tensor(name), tensors[name]) for name in tensors)


def test_what_cannot_be_read_is_not_called_damaged(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.unlink()
    file.mkdir()
    with pytest.raises(CheckpointError, match=r"model\.safetensors cannot be read \(.+\); check the path and its perm"):
        Checkpoint.open(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system takes no such name")
def test_a_folder_whose_name_is_no_utf_8_is_to_be_renamed(folder: Path) -> None:
    odd = folder.rename(folder.with_name(os.fsdecode(b"odd\xff")))
    with pytest.raises(CheckpointError, match="is no UTF-8, which safetensors cannot open; rename its folder"):
        Checkpoint.open(odd)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_bin_file_that_is_cut_short_is_named(folder: Path, zipped: bool) -> None:
    (folder / "model.safetensors").unlink()
    file = folder / "pytorch_model.bin"
    torch.save({"x": torch.zeros(1000)}, file, _use_new_zipfile_serialization=zipped)
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(
        CheckpointError, match=r"pytorch_model\.bin is damaged or cut short \(.+\); fetch the file again"
    ):
        Checkpoint.open(folder)


def test_what_torch_says_of_a_damaged_file_is_cut_between_words(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    file = folder / "pytorch_model.bin"
    torch.save({"x": torch.zeros(1000)}, file)
    data = file.read_bytes()
    file.write_bytes(data[:300] + bytes(100) + data[400:])
    with pytest.raises(RuntimeError) as whole:
        torch.load(file, weights_only=True, mmap=True)
    with pytest.raises(CheckpointError) as raised:
        Checkpoint.open(folder)
    said = re.search(r"\((.*) …\)", str(raised.value))
    assert said
    assert f"{said[1]} " in " ".join(str(whole.value).split())


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_would_run_code_is_refused(folder: Path, zipped: bool) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"x": pytest.raises}, folder / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin is damaged, or holds other things than tensors"):
        Checkpoint.open(folder)


@pytest.mark.parametrize(
    "held", [[1, 2], torch.zeros(3), {1: torch.zeros(2)}, {"state_dict": {"x": torch.zeros(2)}}, {"step": 5}]
)
def test_a_bin_file_of_other_things_than_tensors_by_name_is_refused(folder: Path, held: object) -> None:
    (folder / "model.safetensors").unlink()
    torch.save(held, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin holds other things than tensors by name"):
        Checkpoint.open(folder)


def test_a_sparse_tensor_is_named(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(tensors | {NORM: tensors[NORM].to_sparse()}, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=rf"{NORM} is stored as torch\.sparse_coo"):
        Checkpoint.open(folder)


def test_a_stored_copy_of_the_tied_head_is_accepted(folder: Path) -> None:
    edit(folder, lm_head__weight=load_file(folder / "model.safetensors")[EMBEDDING].clone())
    assert Checkpoint.open(folder).load().lm_head.weight is not None


def test_a_head_that_differs_though_tied_is_refused(folder: Path) -> None:
    edit(folder, lm_head__weight=load_file(folder / "model.safetensors")[EMBEDDING] + 1)
    with pytest.raises(CheckpointError, match="tie_word_embeddings"):
        Checkpoint.open(folder)


def test_a_missing_tensor_is_named(folder: Path) -> None:
    edit(folder, **{NORM.replace(".", "__"): None})
    with pytest.raises(CheckpointError, match=NORM):
        Checkpoint.open(folder)


def test_a_spare_tensor_is_named(folder: Path) -> None:
    edit(folder, transformer__h__9__extra=torch.zeros(1))
    with pytest.raises(CheckpointError, match=r"transformer\.h\.9\.extra"):
        Checkpoint.open(folder)


def test_a_misshapen_tensor_is_named(folder: Path) -> None:
    edit(folder, **{NORM.replace(".", "__"): torch.zeros(3)})
    with pytest.raises(CheckpointError, match=NORM):
        Checkpoint.open(folder)


@pytest.mark.parametrize(
    ("dtype", "said"), [(torch.float64, "F64"), (torch.int8, "I8"), (torch.float8_e4m3fn, "F8_E4M3")]
)
def test_a_tensor_of_another_type_is_named(folder: Path, dtype: torch.dtype, said: str) -> None:
    file = folder / "model.safetensors"
    tensors = load_file(file)
    name = "transformer.h.1.mlp.dense_h_to_4h.weight"
    save_file(tensors | {name: tensors[name].to(dtype)}, file)
    with pytest.raises(CheckpointError, match=rf"{name} is stored as {said}"):
        Checkpoint.open(folder)


def test_a_truncated_file_is_named(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        Checkpoint.open(folder)


def test_a_missing_shard_is_named(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "gone.safetensors"}}))
    with pytest.raises(CheckpointError, match=r"gone\.safetensors"):
        Checkpoint.open(folder)


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"weight_map": 3}', '{"weight_map": {"a": 1}}', "[" * 100_000]
    + [json.dumps({"weight_map": {"a": path}}) for path in ("", ".", "..", "../model.safetensors", "/etc/passwd")],
)
def test_a_damaged_index_is_named(folder: Path, text: str) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(text)
    with pytest.raises(CheckpointError, match="index"):
        Checkpoint.open(folder)


def test_a_folder_without_weights_says_so(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="no weights"):
        Checkpoint.open(folder)


def test_no_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="not a folder"):
        Checkpoint.open(tmp_path / "gone")
