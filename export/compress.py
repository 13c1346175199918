"""Checkpoint -> store: every tensor in the format that the recipe gives it, one tensor in memory at a time."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from torch import Tensor

from export.halves import WeightError
from export.palettize import palettize
from export.progress import Progress
from export.quantize import quantize
from export.recipes import Format, Recipe
from export.store import Draft, TensorStore
from models.checkpoint import Checkpoint, expected_shapes
from models.errors import CheckpointError


def compress(checkpoint: Checkpoint, recipe: Recipe, store: TensorStore, progress: Progress) -> None:
    """Fill `store` with what it lacks. Raises CheckpointError, which names it, for a tensor that fp16 cannot hold."""
    shapes = expected_shapes(checkpoint.config)
    progress.start("palettize", sum(math.prod(shape) for shape in shapes.values()), "weights")
    done = 0
    for name, shape in shapes.items():
        if name not in store:
            _compress_one(checkpoint.tensor(name), name, recipe, store, progress, done)
        done += math.prod(shape)
        progress.advance(done)
    progress.finish()


def _compress_one(tensor: Tensor, name: str, recipe: Recipe, store: TensorStore, progress: Progress, done: int) -> None:
    shape = tuple(tensor.shape)
    form = recipe.format_of(name, shape)
    weights_done = done

    def rows_done(rows: int) -> None:
        nonlocal weights_done
        weights_done += rows * shape[1]
        progress.advance(weights_done)

    with store.draft(name, format_name=form.name, shape=shape) as (draft, figures):
        try:
            if form.kind == "dense":
                figures.update(_store_dense(tensor, draft))
            elif form.kind == "lut":
                figures.update(_store_lut(tensor, form, recipe.group_size, draft, rows_done))
            else:
                figures.update(_store_blocks(tensor, form, draft, rows_done))
        except WeightError as error:
            raise CheckpointError(f"{name}: {error}") from None


def _store_dense(tensor: Tensor, draft: Draft) -> dict[str, float]:
    exact = tensor.float().numpy()
    values = draft.array("values", exact.shape, np.float16)
    with np.errstate(over="ignore"):
        values[...] = exact
    if not np.isfinite(values).all():
        raise WeightError("some values are NaN, infinite or beyond fp16's 65,504; fetch the checkpoint again.")
    return _figures(float(np.square(exact - values.astype(np.float32)).sum()), float(np.square(exact).sum()))


def _store_lut(
    tensor: Tensor, form: Format, group_size: int, draft: Draft, rows_done: Callable[[int], None]
) -> dict[str, float]:
    if form.bits == 16:
        raise ValueError("no codebook has 16 bits")
    indices: npt.NDArray[np.uint8] = draft.array("indices", tuple(tensor.shape), np.uint8)
    result = palettize(tensor, bits=form.bits, group_size=group_size, out_indices=indices, progress=rows_done)
    draft.array("codebook", result.codebook.shape, np.float16)[...] = result.codebook
    return _figures(result.squared_error, result.energy)


def _store_blocks(tensor: Tensor, form: Format, draft: Draft, rows_done: Callable[[int], None]) -> dict[str, float]:
    if form.bits not in (4, 8):
        raise ValueError(f"integers have 4 or 8 bits, not {form.bits}")
    values: npt.NDArray[np.int8] = draft.array("values", tuple(tensor.shape), np.int8)
    result = quantize(tensor, bits=form.bits, block_size=form.block_size, out_values=values, progress=rows_done)
    draft.array("scale", result.scale.shape, np.float16)[...] = result.scale
    return _figures(result.squared_error, result.energy)


def _figures(squared_error: float, squared_norm: float) -> dict[str, float]:
    return {"squared_error": squared_error, "squared_norm": squared_norm}
