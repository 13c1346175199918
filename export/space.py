"""Disk space that an export needs, known before it begins."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

from export.recipes import Recipe
from models.checkpoint import expected_shapes
from models.config import FalconConfig
from runtime.errors import UserFacingError

_MARGIN = 64 << 20  # program, tokenizer, manifest and the file system's own


class SpaceError(UserFacingError):
    """Too little room on a disk."""


def stored_bytes(config: FalconConfig, recipe: Recipe) -> tuple[int, int]:
    """Bytes of all tensors in the work folder (an index takes a byte there) and in the bundle."""
    shapes = expected_shapes(config)
    bundle = sum(tensor_bytes(name, shape, recipe) for name, shape in shapes.items())
    unpacked = 0
    for name, shape in shapes.items():
        form = recipe.format_of(name, shape)
        unpacked += math.prod(shape) * (8 - form.bits) // 8 if form.kind != "dense" else 0
    return bundle + unpacked, bundle


def tensor_bytes(name: str, shape: tuple[int, ...], recipe: Recipe) -> int:
    """Bytes of one tensor in the bundle: indices and codebooks, integers and scales, or plain numbers."""
    form = recipe.format_of(name, shape)
    size = math.prod(shape) * form.bits // 8
    if form.kind == "lut":
        size += shape[0] // recipe.group_size * (2 << form.bits)
    elif form.kind == "block":
        size += 2 * shape[0] * (shape[1] // form.block_size if form.block_size else 1)
    return size


def check_space(folder: Path, config: FalconConfig, recipe: Recipe, already: int) -> None:
    """Raise SpaceError unless `folder`'s disk has room; `already` bytes of work were done by an earlier run."""
    work, bundle = stored_bytes(config, recipe)
    needed = max(0, work - already) + 2 * bundle + _MARGIN  # coremltools writes the package once more before its place
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise SpaceError(
            f"The export needs {needed / 1e9:.1f} GB of free disk at {folder} and there are {free / 1e9:.1f} GB; "
            "free some space or name another place with --output."
        )
