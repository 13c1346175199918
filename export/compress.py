"""Checkpoint -> store: every tensor in the format that the recipe gives it, one tensor in memory at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from export.calibrate import Calibration
from export.compensate import assign_compensated
from export.halves import WeightError
from export.palettize import palettize
from export.progress import Progress
from export.quantize import quantize
from export.recipes import Format, Recipe
from export.store import Draft, TensorStore
from models.checkpoint import Checkpoint, expected_shapes
from models.compressed import LutWeight, mapped_tensor
from models.errors import CheckpointError

_ROWS = 1024

WeightsDone = Callable[[float], None]


def compress(
    checkpoint: Checkpoint,
    recipe: Recipe,
    store: TensorStore,
    progress: Progress,
    calibration: Calibration,
) -> None:
    """Fill `store` with what it lacks; `calibration` weighs the codebooks and steers the rounding of what it knows.

    Raises CheckpointError, which names it, for a tensor that fp16 cannot hold.
    """
    shapes = expected_shapes(checkpoint.config)
    progress.start("palettize", sum(math.prod(shape) for shape in shapes.values()), "weights")
    done = 0
    for name, shape in shapes.items():
        counter = _Counter(progress, done)
        if name not in store:
            form = recipe.format_of(name, shape)
            with store.draft(name, format_name=form.name, shape=shape) as (draft, figures):
                try:
                    tensor = checkpoint.tensor(name)
                    if form.kind == "lut":
                        wanted = Codebooks(name, form, recipe.group_size, calibration)
                        figures.update(_fill_lut(draft, tensor, wanted, counter.add))
                    elif form.kind == "block":
                        figures.update(_fill_blocks(draft, tensor, form, counter.add))
                    else:
                        figures.update(_fill_dense(draft, tensor))
                except WeightError as error:
                    raise CheckpointError(f"{name}: {error}") from None
        done += math.prod(shape)
        progress.advance(done)
    progress.finish()


@dataclass(frozen=True)
class Codebooks:
    """What one matrix's codebooks are to be."""

    name: str
    form: Format
    group_size: int
    calibration: Calibration


class _Counter:
    """Adds up finished weights."""

    def __init__(self, progress: Progress, done: int) -> None:
        self._progress = progress
        self._done = float(done)

    def add(self, weights: float) -> None:
        """So many weights more."""
        self._done += weights
        self._progress.advance(int(self._done))


def _fill_dense(draft: Draft, tensor: Tensor) -> dict[str, float]:
    exact = tensor.float().numpy()
    values = draft.array("values", exact.shape, np.float16)
    with np.errstate(over="ignore"):
        values[...] = exact
    if not np.isfinite(values).all():
        raise WeightError("some values are NaN, infinite or beyond fp16's 65,504; fetch the checkpoint again.")
    return _figures(float(np.square(exact - values.astype(np.float32)).sum()), float(np.square(exact).sum()))


def _fill_lut(draft: Draft, tensor: Tensor, wanted: Codebooks, weights_done: WeightsDone) -> dict[str, float]:
    if wanted.form.bits == 16:
        raise ValueError("no codebook has 16 bits")
    # An embedding's rows are also looked up, and an untied head keeps eight bits, which leave little to make up for.
    inputs = wanted.calibration.inputs(wanted.name) if wanted.name.startswith("transformer.h.") else None
    share = 1.0 if inputs is None else 0.5  # of the work on a weight that its codebook is
    indices: npt.NDArray[np.uint8] = draft.array("indices", tuple(tensor.shape), np.uint8)
    result = palettize(
        tensor,
        bits=wanted.form.bits,
        group_size=wanted.group_size,
        importance=wanted.calibration.importance(wanted.name),
        out_indices=indices,
        progress=lambda rows: weights_done(share * rows * tensor.shape[1]),
    )
    draft.array("codebook", result.codebook.shape, np.float16)[...] = result.codebook
    squared_error = result.squared_error
    if inputs is not None:
        assign_compensated(
            tensor, result.codebook, inputs, indices, progress=lambda done: weights_done((1 - share) * done)
        )
        rounded = LutWeight(mapped_tensor(indices), mapped_tensor(result.codebook), index_bits=8)
        squared_error = _squared_error(tensor, rounded)
    return _figures(squared_error, result.energy)


def _squared_error(tensor: Tensor, weight: LutWeight) -> float:
    """Against the weights rounded to float16, as `palettize` counts it."""
    total = 0.0
    step = max(1, _ROWS // weight.group_size) * weight.group_size
    for first in range(0, len(tensor), step):
        last = min(first + step, len(tensor))
        difference = tensor[first:last].half().float() - weight.part(first, last, torch.float32)
        total += float(np.square(difference.numpy()).sum(dtype=np.float64))  # torch's sum depends on its threads
    return total


def _fill_blocks(draft: Draft, tensor: Tensor, form: Format, weights_done: WeightsDone) -> dict[str, float]:
    if form.bits not in (4, 8):
        raise ValueError(f"integers have 4 or 8 bits, not {form.bits}")
    values: npt.NDArray[np.int8] = draft.array("values", tuple(tensor.shape), np.int8)
    result = quantize(
        tensor,
        bits=form.bits,
        block_size=form.block_size,
        out_values=values,
        progress=lambda rows: weights_done(rows * tensor.shape[1]),
    )
    draft.array("scale", result.scale.shape, np.float16)[...] = result.scale
    return _figures(result.squared_error, result.energy)


def _figures(squared_error: float, squared_norm: float) -> dict[str, float]:
    return {"squared_error": squared_error, "squared_norm": squared_norm}
