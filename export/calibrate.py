"""Calibration: what the model itself feeds into each matrix on a text, kept in files.

It says how much each input column matters, and which columns can make up for each other's rounding.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import Tensor

from export.progress import Progress
from export.reference import ReferenceModel, WeightReader
from models.compressed import mapped_tensor
from models.config import FalconConfig
from models.errors import CheckpointError
from runtime.errors import OptionError

_SEQUENCE = 256  # tokens
CALIBRATION_TOKENS = 2048  # of the text that are used
_LEAST_TOKENS = 64
_EMBEDDING, _HEAD = "transformer.word_embeddings.weight", "lm_head.weight"


class Calibration:
    """Recorded inputs of matrices; of none without a folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def inputs(self, name: str) -> Tensor | None:
        """What went into matrix `name`, [tokens, I] in float16, up to a common factor; None where nothing was."""
        file = self._folder / f"{name}.npy" if self._folder else None
        return mapped_tensor(np.load(file, mmap_mode="r")) if file and file.exists() else None

    def importance(self, name: str) -> npt.NDArray[np.float32] | None:
        """Mean square of each input column [I]: what its errors weigh, Σ E[x_i²] e_i², when columns are unrelated."""
        inputs = self.inputs(name)
        if inputs is None or not inputs.any():  # what is never fed is rounded like anything else
            return None
        return inputs.float().square().mean(0).numpy()


def file_hash(file: Path) -> str:
    """SHA-256 of a calibration text. Raises OptionError where it cannot be read."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise OptionError(f"--calibrate {file} cannot be read ({error.strerror}); name a text file.") from None


def calibration_tokens(file: Path, tokenizer: Tokenizer, context_length: int) -> list[list[int]]:
    """The first 2,048 tokens of a text file in sequences of 256. Raises OptionError for a file that is no use."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise OptionError(f"--calibrate {file} is not a UTF-8 text file; name one.") from None
    ids = tokenizer.encode(text, add_special_tokens=False).ids[:CALIBRATION_TOKENS]
    if len(ids) < _LEAST_TOKENS:
        raise OptionError(f"--calibrate {file} has {len(ids)} tokens; name a text of some hundreds or more.")
    length = min(_SEQUENCE, context_length)
    return [ids[first : first + length] for first in range(0, len(ids), length)]


def record(
    config: FalconConfig, reader: WeightReader, sequences: Sequence[Sequence[int]], folder: Path, progress: Progress
) -> Calibration:
    """Run the model, a few rows of a matrix in memory at a time, and keep what goes into each matrix in `folder`.

    A tied head's input is kept under the embedding's name: only as the head does that matrix meet activations.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)

    def observe(name: str, inputs: Tensor) -> None:
        if not inputs.isfinite().all():
            raise CheckpointError(
                f"{name} is fed NaN or infinity when the model runs on the calibration text: "
                "a weight before it is damaged; fetch the checkpoint again."
            )
        stored = _EMBEDDING if name == _HEAD and config.tie_word_embeddings else name
        scaled = inputs / inputs.abs().max().clamp_min(torch.finfo(torch.float32).tiny)
        np.save(partial / f"{stored}.npy", scaled.half().numpy())

    progress.start("calibrate", config.num_layers, "layers")
    ReferenceModel(config, reader).observe(sequences, observe, progress.advance)
    progress.finish()
    partial.rename(folder)
    return Calibration(folder)
