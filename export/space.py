"""Disk and memory that an export needs, known before it begins."""

from __future__ import annotations

import dataclasses
import math
import shutil
from pathlib import Path

from export.calibrate import CALIBRATION_TOKENS
from export.compensate import SPAN
from export.recipes import Recipe
from models.checkpoint import expected_shapes
from models.config import FalconConfig
from runtime.errors import OptionError, UserFacingError
from runtime.sizes import data_size, memory_size

_BASE_MEMORY = 1 << 30  # Python, torch, coremltools, and what is expanded at a time: measured, see benchmarks
_TOKENS = 512  # of probes or of a piece of calibration text, whose activations and logits are held
_MARGIN = 64 << 20  # program, tokenizer, manifest and the file system's own


class SpaceError(UserFacingError):
    """Too little room on a disk or in memory."""


class DiskError(SpaceError):
    """Too little room on a disk."""


def stored_bytes(config: FalconConfig, recipe: Recipe) -> tuple[int, int]:
    """Bytes of all tensors in the work folder (an index takes a byte there) and in the bundle."""
    shapes = expected_shapes(config)
    bundle = sum(recipe.bytes_of(name, shape) for name, shape in shapes.items())
    unpacked = 0
    for name, shape in shapes.items():
        form = recipe.format_of(name, shape)
        unpacked += math.prod(shape) * (8 - form.bits) // 8 if form.kind != "dense" else 0
    return bundle + unpacked, bundle


def check_size(config: FalconConfig, recipe: Recipe) -> None:
    """Raises OptionError for a --size that the fewest bits everywhere exceed."""
    least = stored_bytes(config, recipe)[1]
    if recipe.size_bytes is not None and recipe.size_bytes < least:
        raise OptionError(
            f"--size {data_size(recipe.size_bytes)} is less than the {data_size(least)} that this model's tensors take "
            "at four bits; ask for more."
        )


def check_space(folder: Path, config: FalconConfig, recipe: Recipe, *, already: int, download: int = 0) -> str:
    """What the export needs, in words, when the machine has it.

    `already` bytes lie in the folder from an earlier run, to be used or deleted; `download` bytes are yet to be fetched
    to the same disk. Raises SpaceError where disk or memory will not do.
    """
    if recipe.size_bytes is None:
        work, bundle = stored_bytes(config, recipe)
    else:  # which bits go where is not known yet, but not more than eight
        work, most = stored_bytes(config, dataclasses.replace(recipe, linear="lut8"))
        bundle = min(recipe.size_bytes, most)
    if recipe.calibration is not None:
        matrices = [shape for shape in expected_shapes(config).values() if len(shape) == 2]
        work += sum(2 * CALIBRATION_TOKENS * columns for _, columns in matrices)
    disk = work + 2 * bundle + _MARGIN  # coremltools writes the package once more before its place
    disk = max(0, disk + download - already)
    free = shutil.disk_usage(folder).free
    if disk > free:
        what = f"The download ({data_size(download)}) and the export need" if download else "The export needs"
        raise DiskError(
            f"{what} {data_size(disk)} of free disk at {folder.parent} and there are {data_size(free)}; "
            "free some space.",
            option=" or name another place with --output",
        )
    numbers = _TOKENS * (2 * config.ffn_hidden_size + config.vocab_size)
    if recipe.calibration is not None:  # a layer's activations on the text, or a span's second moments and their roots
        recorded = CALIBRATION_TOKENS * (2 * config.ffn_hidden_size + 5 * config.hidden_size)
        numbers = max(numbers, recorded, 5 * SPAN * SPAN)
    memory = _BASE_MEMORY + 4 * numbers
    available = available_memory()
    if available is not None and memory > available:
        raise SpaceError(
            f"The export needs {memory_size(memory)} of free memory and there are {memory_size(available)}; "
            "close other programs."
        )
    return f"{data_size(disk)} of disk and {memory_size(memory)} of memory needed; {data_size(free)} of disk free"


def available_memory() -> int | None:
    """Bytes that a new program may take without swapping; None where the system does not say."""
    try:
        with Path("/proc/meminfo").open(encoding="ascii") as file:
            fields = dict(line.split(":", 1) for line in file)
        return 1024 * int(fields["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):
        return None  # macOS compresses and swaps before it refuses: there is no such figure
