"""Mixed recipes: spend a budget of bytes where more bits lower the measured error most."""

from __future__ import annotations

import dataclasses
import heapq
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from export.calibrate import Calibration
from export.halves import WeightError
from export.palettize import palettize
from export.progress import Progress
from export.recipes import FORMATS, Recipe
from models.checkpoint import Checkpoint, expected_shapes
from models.errors import CheckpointError
from runtime.errors import OptionError
from runtime.sizes import data_size

_ROWS = 1024
_STEPS = ("lut4", "lut6", "lut8")
_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}

Errors = dict[str, dict[str, float]]
"""By matrix and format: squared error over squared weights, both weighed by importance where there is one."""


def parse_size(text: str) -> int:
    """Bytes of "3.6GB", "900 MiB" or a plain number. Raises OptionError for anything else."""
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z]*)\s*", text)
    if not match or match[2].lower() not in _UNITS:
        raise OptionError(f"--size {text!r} is no size; write one like 3.6GB.")
    return round(float(match[1]) * _UNITS[match[2].lower()])


def measure_errors(
    checkpoint: Checkpoint, recipe: Recipe, calibration: Calibration, folder: Path, progress: Progress
) -> Errors:
    """Palettize every layer's matrices at each step, for the error alone, which `folder` keeps: it is measured once.

    Raises CheckpointError, which names it, for a matrix that fp16 cannot hold.
    """
    names = [name for name, shape in expected_shapes(checkpoint.config).items() if _is_chosen(name, shape)]
    folder.mkdir(parents=True, exist_ok=True)
    progress.start("measure", sum(math.prod(checkpoint.shape(name)) for name in names), "weights")
    errors: Errors = {}
    done = 0
    for name in names:
        file = folder / f"{name}.json"
        if not file.exists():
            partial = file.with_suffix(".partial")
            try:
                measured = _measure(checkpoint.tensor(name), recipe.group_size, calibration.importance(name))
            except WeightError as error:
                raise CheckpointError(f"{name}: {error}") from None
            partial.write_text(json.dumps(measured), encoding="utf-8")
            partial.replace(file)
        errors[name] = json.loads(file.read_text(encoding="utf-8"))
        done += math.prod(checkpoint.shape(name))
        progress.advance(done)
    progress.finish()
    return errors


def _measure(tensor: Tensor, group_size: int, importance: npt.NDArray[np.float32] | None) -> dict[str, float]:
    """The error by step."""
    errors = {}
    for step in _STEPS:
        bits = FORMATS[step].bits
        assert bits != 16
        result = palettize(tensor, bits=bits, group_size=group_size, importance=importance)
        energy = result.energy if importance is None else _weighted_energy(tensor, importance)
        errors[step] = result.weighted_error / energy if energy else 0.0
    return errors


def choose_formats(checkpoint: Checkpoint, recipe: Recipe, errors: Errors, size_bytes: int) -> Recipe:
    """`recipe` with a format for each matrix, so that all tensors take at most `size_bytes`.

    From four bits everywhere, the step that lowers the sum of relative errors most a byte is taken until none fits:
    each matrix's relative error adds about as much noise to what its layer gives. Raises OptionError for a size that
    four bits everywhere exceed.
    """
    shapes = expected_shapes(checkpoint.config)
    base = dataclasses.replace(recipe, linear=_STEPS[0], formats={})
    left = size_bytes - sum(base.bytes_of(name, shape) for name, shape in shapes.items())
    if left < 0:
        raise OptionError(
            f"--size {data_size(size_bytes)} is less than the {data_size(size_bytes - left)} that this model's tensors "
            "take at four bits; ask for more."
        )
    chosen = dict.fromkeys(errors, 0)
    steps = [_step(name, 0, shapes, base, errors) for name in errors]
    heapq.heapify(steps)
    while steps:
        _, name, cost = heapq.heappop(steps)
        if cost > left:
            continue
        left -= cost
        chosen[name] += 1
        if chosen[name] + 1 < len(_STEPS):
            heapq.heappush(steps, _step(name, chosen[name], shapes, base, errors))
    return dataclasses.replace(base, formats={name: _STEPS[level] for name, level in chosen.items() if level})


def _step(
    name: str, level: int, shapes: Mapping[str, tuple[int, ...]], base: Recipe, errors: Errors
) -> tuple[float, str, int]:
    """The step up from `level`: minus the error it saves a byte, the matrix, and its bytes."""
    here, above = (
        dataclasses.replace(base, formats={name: _STEPS[step]}).bytes_of(name, shapes[name])
        for step in (level, level + 1)
    )
    saved = errors[name][_STEPS[level]] - errors[name][_STEPS[level + 1]]
    return -saved / (above - here), name, above - here


def _weighted_energy(tensor: Tensor, importance: npt.NDArray[np.float32]) -> float:
    """Σ importance_i w_oi², a few rows at a time; by numpy, whose sums do not depend on the number of threads."""
    columns = np.zeros(tensor.shape[1])
    for rows in torch.split(tensor, _ROWS):
        columns += np.square(rows.float().numpy(), dtype=np.float64).sum(0)
    return float((columns * importance).sum())


def _is_chosen(name: str, shape: tuple[int, ...]) -> bool:
    """Matrices of the layers; embedding and head keep their eight bits."""
    return len(shape) == 2 and name.startswith("transformer.h.")
