"""What is recorded is what transformers feeds into each matrix on the same text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from export.calibrate import Calibration, calibration_tokens, file_hash, record
from export.progress import SilentProgress
from export.reference import CheckpointReader
from models.checkpoint import Checkpoint
from runtime.errors import OptionError
from tests.models.variants import save


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
    sequences = calibration_tokens(file, plain_tokenizer(), context_length=2048)
    assert [len(s) for s in sequences] == [256, 256, 88]
    assert calibration_tokens(file, plain_tokenizer(), context_length=64)[0] == [0, 1] * 32


def test_a_text_that_is_no_use_is_refused(tmp_path: Path) -> None:
    short, binary = tmp_path / "short", tmp_path / "binary"
    short.write_text("a b")
    binary.write_bytes(b"\xff\xfe" * 100)
    for file, reason in ((short, "2 tokens"), (binary, "UTF-8")):
        with pytest.raises(OptionError, match=reason):
            calibration_tokens(file, plain_tokenizer(), context_length=64)
    with pytest.raises(OptionError, match="cannot be read"):
        file_hash(tmp_path / "gone")
