"""A small program with compressed weights, which several test files open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.runtime.mil.conversion import ct, mb, numbers, save, types

WEIGHT = numbers(24, 20, seed=1).astype(np.float16)
INDICES = np.random.default_rng(2).integers(0, 16, (64, 24)).astype(np.uint8)
TABLE = numbers(4, 1, 16, 1, seed=3).astype(np.float16)


def dense(indices: np.ndarray = INDICES, table: np.ndarray = TABLE) -> np.ndarray:
    """What the palette stands for: 16 rows share a table."""
    groups = np.repeat(np.arange(4), 16)[:, None]
    values: np.ndarray = table[:, 0, :, 0][groups, indices].astype(np.float32)
    return values


def make_package(folder: Path) -> Path:
    """Embedding and head share one compressed weight [64, 24]; a plain one [24, 20] is between them."""

    @mb.program(
        input_specs=[mb.TensorSpec((2,), dtype=types.int32), mb.TensorSpec((1, 20), dtype=types.fp16)],
        opset_version=ct.target.iOS18,
    )
    def program(ids: Any, shift: Any) -> Any:
        four_bits = INDICES.astype(types.nptype_from_builtin(types.uint4))
        table = mb.constexpr_lut_to_dense(indices=four_bits, lut=TABLE, name="table")
        x = mb.gather(x=table, indices=ids, axis=0, name="rows")
        x = mb.matmul(x=x, y=mb.const(val=WEIGHT, name="between"), name="middle")
        x = mb.matmul(x=mb.add(x=x, y=shift, name="shifted"), y=WEIGHT, transpose_y=True, name="back")
        return mb.linear(x=x, weight=table, name="logits"), mb.reduce_argmax(x=x, axis=-1, name="best")

    path = folder / "program.mlpackage"
    save(program, path)
    return path
