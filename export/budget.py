"""Mixed recipes: spend a budget of bytes where more bits lower the measured error most."""

from __future__ import annotations

import dataclasses
import heapq
import math
import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from export.calibrate import Calibration
from export.palettize import palettize
from export.progress import Progress
from export.recipes import FORMATS, Recipe
from export.space import tensor_bytes
from models.checkpoint import Checkpoint, expected_shapes
from runtime.errors import OptionError

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


def measure_errors(checkpoint: Checkpoint, recipe: Recipe, calibration: Calibration, progress: Progress) -> Errors:
    """Palettize every layer's matrices at each step, for the error alone."""
    names = [name for name, shape in expected_shapes(checkpoint.config).items() if _is_chosen(name, shape)]
    total = len(_STEPS) * sum(math.prod(checkpoint.shape(name)) for name in names)
    progress.start("measure", total, "weights")
    errors: Errors = {}
    done = 0
    for name in names:
        errors[name] = {}
        importance = calibration.importance(name)
        for step in _STEPS:
            bits = FORMATS[step].bits
            assert bits != 16
            result = palettize(checkpoint.tensor(name), bits=bits, group_size=recipe.group_size, importance=importance)
            energy = result.energy
            if importance is not None:
                energy = _weighted_energy(checkpoint.tensor(name), importance)
            errors[name][step] = result.weighted_error / energy if energy else 0.0
            done += math.prod(checkpoint.shape(name))
            progress.advance(done)
    progress.finish()
    return errors


def choose_formats(checkpoint: Checkpoint, recipe: Recipe, errors: Errors, size_bytes: int) -> Recipe:
    """`recipe` with a format for each matrix, so that all tensors take at most `size_bytes`.

    From four bits everywhere, the step that lowers the sum of relative errors most a byte is taken until none fits:
    each matrix's relative error adds about as much noise to what its layer gives. Raises OptionError for a size that
    four bits everywhere exceed.
    """
    shapes = expected_shapes(checkpoint.config)
    base = dataclasses.replace(recipe, linear=_STEPS[0], formats={})
    left = size_bytes - sum(tensor_bytes(name, shape, base) for name, shape in shapes.items())
    if left < 0:
        raise OptionError(
            f"--size {size_bytes / 1e6:,.1f} MB is less than the {(size_bytes - left) / 1e6:,.1f} MB "
            "that this model's tensors take at four bits; ask for more."
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
        tensor_bytes(name, shapes[name], dataclasses.replace(base, formats={name: _STEPS[step]}))
        for step in (level, level + 1)
    )
    saved = errors[name][_STEPS[level]] - errors[name][_STEPS[level + 1]]
    return -saved / (above - here), name, above - here


def _weighted_energy(tensor: Tensor, importance: npt.NDArray[np.float32]) -> float:
    """Σ importance_i w_oi², a few rows at a time."""
    weights = torch.from_numpy(importance)
    return sum(float((rows.float().square() @ weights).sum()) for rows in torch.split(tensor, _ROWS))


def _is_chosen(name: str, shape: tuple[int, ...]) -> bool:
    """Matrices of the layers; embedding and head keep their eight bits."""
    return len(shape) == 2 and name.startswith("transformer.h.")
