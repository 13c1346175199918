"""Importance is the mean square of what transformers feeds into each matrix on the same text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from export.calibrate import calibration_tokens, column_importance, file_hash
from export.progress import SilentProgress
from export.reference import CheckpointReader
from models.checkpoint import Checkpoint
from runtime.errors import OptionError
from tests.models.variants import save


@pytest.mark.parametrize("variant", ["7b", "40b", "11b", "rw"])
def test_importance_equals_what_hooks_on_transformers_see(tmp_path: Path, variant: str) -> None:
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
    importance = column_importance(checkpoint.config, CheckpointReader(checkpoint), sequences, SilentProgress())
    tied = checkpoint.config.tie_word_embeddings
    expected = {
        ("transformer.word_embeddings.weight" if tied and n == "lm_head.weight" else n): v for n, v in seen.items()
    }
    assert set(importance) == set(expected)
    for name, inputs in expected.items():
        np.testing.assert_allclose(importance[name], torch.cat(inputs).square().mean(0).numpy(), rtol=1e-3, atol=1e-6)


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
