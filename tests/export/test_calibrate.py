"""What is recorded is what transformers feeds into each matrix on the same text."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from export import compensate
from export.budget import measure_errors
from export.calibrate import Calibration, CalibrationText, record
from export.compress import compress
from export.progress import SilentProgress
from export.recipes import make_recipe
from export.reference import CheckpointReader
from export.store import TensorStore
from models.checkpoint import Checkpoint, expected_shapes
from runtime.errors import OptionError
from tests.models.variants import save

UP = "transformer.h.0.mlp.dense_h_to_4h.weight"


@pytest.mark.parametrize("variant", ["7b", "40b", "11b", "rw"])
def test_recorded_inputs_are_what_hooks_on_transformers_see(tmp_path: Path, variant: str) -> None:
    hub = save(variant, tmp_path)
    sequences = [torch.randint(0, 320, (n,)).tolist() for n in (17, 40)]
    seen: dict[str, list[torch.Tensor]] = {}
    for name, module in hub.named_modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_hook(
                lambda _, inputs, __, name=name: seen.setdefault(f"{name}.weight", []).append(inputs[0].flatten(0, 1))
            )
    for ids in sequences:
        hub(torch.tensor([ids]))
    checkpoint = Checkpoint.open(tmp_path)
    calibration = record(
        checkpoint.config, CheckpointReader(checkpoint), sequences, tmp_path / "inputs", SilentProgress()
    )
    expected = {name: torch.cat(inputs) for name, inputs in seen.items()}
    if checkpoint.config.tie_word_embeddings:
        expected["transformer.word_embeddings.weight"] = expected.pop("lm_head.weight")
    assert {file.stem for file in (tmp_path / "inputs").iterdir()} == set(expected)
    for name, inputs in expected.items():
        recorded = calibration.inputs(name)
        assert recorded is not None
        assert recorded.shape == inputs.shape
        scaled = inputs / inputs.abs().max()  # a common factor is left open
        torch.testing.assert_close(recorded.float(), scaled, atol=1e-3, rtol=0)
        importance = calibration.importance(name)
        assert importance is not None
        np.testing.assert_allclose(importance, scaled.square().mean(0).numpy(), rtol=1e-2, atol=1e-6)


@pytest.fixture
def threads() -> Iterator[None]:
    """The number of threads as before."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def made(checkpoint: Checkpoint, folder: Path) -> dict[str, bytes]:
    """Every file of the compressed tensors, calibrated, and the calibration's own."""
    sequences = [torch.arange(first, first + 64).tolist() for first in range(0, 256, 32)]
    reader = CheckpointReader(checkpoint)
    calibration = record(checkpoint.config, reader, sequences, folder / "inputs", SilentProgress())
    store = TensorStore(folder / "tensors")
    recipe = make_recipe(checkpoint.config, weights="lut4")
    compress(checkpoint, recipe, store, SilentProgress(), calibration)
    measure_errors(checkpoint, recipe, calibration, folder / "errors", SilentProgress())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.usefixtures("threads")
def test_calibrated_bytes_do_not_depend_on_the_number_of_threads(tmp_path: Path) -> None:
    save("7b", tmp_path / "source")
    checkpoint = Checkpoint.open(tmp_path / "source")
    torch.set_num_threads(1)
    one = made(checkpoint, tmp_path / "one")
    torch.set_num_threads(2)
    assert made(checkpoint, tmp_path / "two") == one
    assert torch.get_num_threads() == 2


def test_calibrated_work_advances_by_rows_and_ends_with_all_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compensate, "_ROWS", 128)  # of 384
    save("7b", tmp_path / "source")
    checkpoint = Checkpoint.open(tmp_path / "source")
    np.save(tmp_path / f"{UP}.npy", np.random.default_rng(0).standard_normal((100, 96)).astype(np.float16))
    steps: list[int] = []

    class Steps(SilentProgress):
        def advance(self, done: int) -> None:
            steps.append(done)

    store = TensorStore(tmp_path / "tensors")
    compress(checkpoint, make_recipe(checkpoint.config), store, Steps(), Calibration(tmp_path))
    shapes = expected_shapes(checkpoint.config)
    assert steps == sorted(steps)
    assert steps[-1] == sum(math.prod(shape) for shape in shapes.values())
    names = list(shapes)
    before = sum(math.prod(shapes[name]) for name in names[: names.index(UP)])
    half = before + math.prod(shapes[UP]) // 2  # clustered; what comes after is rounding
    assert half in steps
    assert sum(half < step < before + math.prod(shapes[UP]) for step in steps) == 2


class Interrupted(SilentProgress):
    """Ctrl-C after so many layers."""

    def __init__(self, layers: int) -> None:
        self.layers = layers
        self.seen: list[int] = []

    def advance(self, done: int) -> None:
        self.seen.append(done)
        if done == self.layers:
            raise KeyboardInterrupt


@pytest.mark.parametrize("layers", [1, 2])
def test_an_interrupted_recording_goes_on_with_the_next_layer(tmp_path: Path, layers: int) -> None:
    save("7b", tmp_path / "source")
    checkpoint = Checkpoint.open(tmp_path / "source")
    reader, sequences = CheckpointReader(checkpoint), [list(range(40)), list(range(50, 67))]
    record(checkpoint.config, reader, sequences, tmp_path / "whole", SilentProgress())
    with pytest.raises(KeyboardInterrupt):
        record(checkpoint.config, reader, sequences, tmp_path / "cut", Interrupted(layers))
    assert not (tmp_path / "cut").exists()
    first = tmp_path / "cut.partial" / "transformer.h.0.mlp.dense_4h_to_h.weight.npy"
    first.write_bytes(b"kept")
    progress = Interrupted(-1)
    record(checkpoint.config, reader, sequences, tmp_path / "cut", progress)
    assert progress.seen == list(range(layers, checkpoint.config.num_layers + 1))
    found, wanted = (
        {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()} for name in ("cut", "whole")
    )
    assert found.pop(first.name) == b"kept"
    del wanted[first.name]
    assert found == wanted


def test_nothing_is_known_without_a_text() -> None:
    assert Calibration().inputs("a") is None
    assert Calibration().importance("a") is None


def plain_tokenizer() -> Tokenizer:
    from tokenizers import models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"a": 0, "b": 1, "?": 2}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


def test_a_text_is_cut_into_sequences(tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_text("a b " * 300)
    text = CalibrationText.read(file)
    file.unlink()  # read once: it may have been a pipe
    assert text.hash == hashlib.sha256(b"a b " * 300).hexdigest()
    assert [len(s) for s in text.sequences(plain_tokenizer(), context_length=2048)] == [256, 256, 88]
    assert text.sequences(plain_tokenizer(), context_length=64)[0] == [0, 1] * 32


def test_a_text_that_is_no_use_is_refused(tmp_path: Path) -> None:
    short, binary = tmp_path / "short", tmp_path / "binary"
    short.write_text("a b")
    binary.write_bytes(b"\xff\xfe" * 100)
    for file, reason in ((short, "2 tokens"), (binary, "UTF-8")):
        with pytest.raises(OptionError, match=reason):
            CalibrationText.read(file).sequences(plain_tokenizer(), context_length=64)
    for name in (str(tmp_path / "gone"), "a\0b", "/dev/zero"):
        with pytest.raises(OptionError, match=r"--calibrate .* cannot be read .*; name a text file\."):
            CalibrationText.read(Path(name))
