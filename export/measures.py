"""What is measured on the checkpoint before it is compressed, kept in the work folder: importance and errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from export.budget import choose_formats, measure_errors
from export.calibrate import Importance, calibration_tokens, column_importance
from export.progress import Progress
from export.recipes import Recipe
from export.reference import CheckpointReader
from models.checkpoint import Checkpoint

_IMPORTANCE, _ERRORS = "importance.npz", "errors.json"


def get_importance(
    work: Path, checkpoint: Checkpoint, recipe: Recipe, text: Path | None, tokenizer: Tokenizer, progress: Progress
) -> Importance:
    """Importance of columns on `text`, measured once; empty without a text."""
    if text is None:
        return {}
    file = work / _IMPORTANCE
    if not file.exists():
        tokens = calibration_tokens(text, tokenizer, recipe.context_length)
        measured = column_importance(checkpoint.config, CheckpointReader(checkpoint), tokens, progress)
        partial = work / f"partial-{_IMPORTANCE}"
        np.savez(partial, **measured)  # type: ignore[arg-type]
        partial.replace(file)
    with np.load(file) as stored:
        return {name: stored[name] for name in stored.files}


def spread_bits(
    work: Path, checkpoint: Checkpoint, recipe: Recipe, importance: Importance, progress: Progress
) -> Recipe:
    """`recipe` with a format for each matrix by measured error, where it has a size to meet."""
    if recipe.size_bytes is None:
        return recipe
    file = work / _ERRORS
    if not file.exists():
        partial = work / f"partial-{_ERRORS}"
        partial.write_text(json.dumps(measure_errors(checkpoint, recipe, importance, progress)), encoding="utf-8")
        partial.replace(file)
    return choose_formats(checkpoint, recipe, json.loads(file.read_text(encoding="utf-8")), recipe.size_bytes)
