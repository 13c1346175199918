"""A checkpoint opened in the torch backend, against transformers on the same files."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from transformers import FalconForCausalLM

from models.checkpoint import Checkpoint
from models.errors import UserFacingError
from runtime.backends.checkpoint import narrowed, open_checkpoint
from tests.conftest import Checkpoints
from tests.tools import VOCAB_SIZE, divergence

IDS: list[int] = np.random.default_rng(3).integers(0, VOCAB_SIZE, 24).tolist()


@pytest.mark.parametrize("variant", ["7b", "40b", "11b", "rw", "7b-biased"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_it_scores_like_transformers(
    variant: str, dtype: Literal["float32", "bfloat16"], checkpoints: Checkpoints
) -> None:
    folder = checkpoints(variant)
    model = FalconForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa").eval()
    if dtype == "bfloat16":
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.data = parameter.data.bfloat16().float()
    with torch.inference_mode():
        wanted = model(torch.tensor([IDS])).logits[0].numpy()
    backend = open_checkpoint(folder, dtype=dtype)
    state = backend.new_state()
    got = [backend.feed(IDS[:12], state), *(backend.feed([token], state) for token in IDS[12:])]
    assert max(divergence(w, g) for w, g in zip(wanted[11:], got, strict=True)) < 1e-5  # the cache has 16 bits


def test_only_what_loses_nothing_is_narrowed() -> None:
    exact = torch.randn(4, 4).bfloat16().float()
    assert narrowed(exact).dtype == torch.bfloat16
    assert torch.equal(narrowed(exact).float(), exact)
    inexact = torch.tensor([[1.0, 1.0 + 2**-20]])
    assert narrowed(inexact) is inexact
    half = torch.randn(2, 2).half()
    assert narrowed(half) is half


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserFacingError, match=r"config\.json"):
        open_checkpoint(tmp_path)


def test_its_context_is_the_trained_one(checkpoints: Checkpoints) -> None:
    folder = checkpoints("7b")
    assert open_checkpoint(folder).context_length == Checkpoint.open(folder).config.context_length
