"""Importance of each matrix's input columns, measured on text: the mean square of what the model feeds into them.

The squared error of a product x Wᵀ, averaged over inputs x, is Σ E[x_i x_j] e_i e_j over a row's weight errors e. Its
diagonal weighs each column's error by E[x_i²], which is what weighted k-means minimizes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer
from torch import Tensor

from export.progress import Progress
from export.reference import ReferenceModel, WeightReader
from models.config import FalconConfig
from runtime.errors import OptionError

Importance = dict[str, npt.NDArray[np.float32]]
"""By matrix name: one non-negative number an input column, [I]."""

_SEQUENCE = 256  # tokens
_TOKENS = 2048  # of the text that are used
_LEAST_TOKENS = 64


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
    ids = tokenizer.encode(text, add_special_tokens=False).ids[:_TOKENS]
    if len(ids) < _LEAST_TOKENS:
        raise OptionError(f"--calibrate {file} has {len(ids)} tokens; name a text of some hundreds or more.")
    length = min(_SEQUENCE, context_length)
    return [ids[first : first + length] for first in range(0, len(ids), length)]


def column_importance(
    config: FalconConfig, reader: WeightReader, sequences: Sequence[Sequence[int]], progress: Progress
) -> Importance:
    """Run the model, one layer in memory at a time, and average the squares of what goes into each matrix."""
    sums: dict[str, Tensor] = {}
    counts: dict[str, int] = {}

    def observe(name: str, inputs: Tensor) -> None:
        sums[name] = inputs.double().square().sum(0)
        counts[name] = len(inputs)

    progress.start("calibrate", config.num_layers, "layers")
    ReferenceModel(config, reader).observe(sequences, observe, progress.advance)
    progress.finish()
    importance = {name: (total / counts[name]).float().numpy() for name, total in sums.items()}
    if config.tie_word_embeddings:  # one matrix, and only as the head does it meet activations
        importance["transformer.word_embeddings.weight"] = importance.pop("lm_head.weight")
    return importance
