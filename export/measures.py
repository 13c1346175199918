"""What is measured on the checkpoint before it is compressed, kept in the work folder: inputs and errors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from export.budget import choose_formats, measure_errors
from export.calibrate import Calibration, record
from export.progress import Progress
from export.recipes import Recipe
from export.reference import CheckpointReader
from models.checkpoint import Checkpoint

_INPUTS, _ERRORS = "inputs", "errors"


def get_calibration(
    work: Path, checkpoint: Checkpoint, sequences: Sequence[Sequence[int]] | None, progress: Progress
) -> Calibration:
    """What goes into each matrix on a text's `sequences`, recorded once; nothing without a text."""
    if sequences is None:
        return Calibration()
    folder = work / _INPUTS
    if folder.exists():
        return Calibration(folder)
    return record(checkpoint.config, CheckpointReader(checkpoint), sequences, folder, progress)


def spread_bits(
    work: Path, checkpoint: Checkpoint, recipe: Recipe, calibration: Calibration, progress: Progress
) -> Recipe:
    """`recipe` with a format for each matrix by measured error, where it has a size to meet."""
    if recipe.size_bytes is None:
        return recipe
    errors = measure_errors(checkpoint, recipe, calibration, work / _ERRORS, progress)
    return choose_formats(checkpoint, recipe, errors, recipe.size_bytes)
