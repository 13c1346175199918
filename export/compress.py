"""Checkpoint -> store: every tensor in the format that the recipe gives it, one tensor in memory at a time."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from torch import Tensor

from export.calibrate import Importance
from export.halves import WeightError
from export.palettize import palettize
from export.progress import Progress
from export.quantize import quantize
from export.recipes import Format, Recipe
from export.store import Draft, TensorStore
from models.checkpoint import Checkpoint, expected_shapes
from models.errors import CheckpointError

RowsDone = Callable[[int], None]


def compress(
    checkpoint: Checkpoint,
    recipe: Recipe,
    store: TensorStore,
    progress: Progress,
    importance: Importance | None = None,
) -> None:
    """Fill `store` with what it lacks; `importance` weighs the codebooks of the matrices that it names.

    Raises CheckpointError, which names it, for a tensor that fp16 cannot hold.
    """
    shapes = expected_shapes(checkpoint.config)
    progress.start("palettize", sum(math.prod(shape) for shape in shapes.values()), "weights")
    done = 0
    for name, shape in shapes.items():
        counter = _RowCounter(progress, done, math.prod(shape[1:]))
        if name not in store:
            form = recipe.format_of(name, shape)
            with store.draft(name, format_name=form.name, shape=shape) as (draft, figures):
                try:
                    columns = (importance or {}).get(name)
                    figures.update(_fill(draft, checkpoint.tensor(name), form, recipe.group_size, columns, counter.add))
                except WeightError as error:
                    raise CheckpointError(f"{name}: {error}") from None
        done += math.prod(shape)
        progress.advance(done)
    progress.finish()


class _RowCounter:
    """Turns finished rows into finished weights."""

    def __init__(self, progress: Progress, done: int, columns: int) -> None:
        self._progress = progress
        self._done = done
        self._columns = columns

    def add(self, rows: int) -> None:
        """So many rows more."""
        self._done += rows * self._columns
        self._progress.advance(self._done)


def _fill(
    draft: Draft,
    tensor: Tensor,
    form: Format,
    group_size: int,
    importance: npt.NDArray[np.float32] | None,
    rows_done: RowsDone,
) -> dict[str, float]:
    """The tensor's parts in `form`; returns its squared error and squared norm."""
    if form.kind == "dense":
        return _fill_dense(draft, tensor)
    if form.kind == "lut":
        return _fill_lut(draft, tensor, form, group_size, importance, rows_done)
    return _fill_blocks(draft, tensor, form, rows_done)


def _fill_dense(draft: Draft, tensor: Tensor) -> dict[str, float]:
    exact = tensor.float().numpy()
    values = draft.array("values", exact.shape, np.float16)
    with np.errstate(over="ignore"):
        values[...] = exact
    if not np.isfinite(values).all():
        raise WeightError("some values are NaN, infinite or beyond fp16's 65,504; fetch the checkpoint again.")
    return _figures(float(np.square(exact - values.astype(np.float32)).sum()), float(np.square(exact).sum()))


def _fill_lut(
    draft: Draft,
    tensor: Tensor,
    form: Format,
    group_size: int,
    importance: npt.NDArray[np.float32] | None,
    rows_done: RowsDone,
) -> dict[str, float]:
    if form.bits == 16:
        raise ValueError("no codebook has 16 bits")
    indices: npt.NDArray[np.uint8] = draft.array("indices", tuple(tensor.shape), np.uint8)
    result = palettize(
        tensor,
        bits=form.bits,
        group_size=group_size,
        importance=importance,
        out_indices=indices,
        progress=rows_done,
    )
    draft.array("codebook", result.codebook.shape, np.float16)[...] = result.codebook
    return _figures(result.squared_error, result.energy)


def _fill_blocks(draft: Draft, tensor: Tensor, form: Format, rows_done: RowsDone) -> dict[str, float]:
    if form.bits not in (4, 8):
        raise ValueError(f"integers have 4 or 8 bits, not {form.bits}")
    values: npt.NDArray[np.int8] = draft.array("values", tuple(tensor.shape), np.int8)
    result = quantize(tensor, bits=form.bits, block_size=form.block_size, out_values=values, progress=rows_done)
    draft.array("scale", result.scale.shape, np.float16)[...] = result.scale
    return _figures(result.squared_error, result.energy)


def _figures(squared_error: float, squared_norm: float) -> dict[str, float]:
    return {"squared_error": squared_error, "squared_norm": squared_norm}
