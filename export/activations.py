"""Largest magnitude of what a program computes from its tokens, by part of the model: how near fp16's end it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from export.sections import split_sections
from models.config import FalconConfig
from runtime.mil import Op, Program


class ActivationRange:
    """Collects over predictions of a program that was opened with `trace_magnitudes`."""

    def __init__(self, program: Program, config: FalconConfig) -> None:
        self._program = program
        ops = list(program.ops())
        wanted = _following_tokens(ops)
        sections = split_sections(ops, config)
        parts = [sections.embedding, *sections.layers, sections.head]
        self._names = [[v.name for op in part for v in op.outputs if v.name in wanted] for part in parts]
        self._largest = np.zeros(len(parts))

    def update(self) -> None:
        """Take in the last prediction."""
        seen = self._program.magnitudes
        for index, names in enumerate(self._names):
            values = [self._largest[index], *(seen[name] for name in names if name in seen)]
            self._largest[index] = np.max(values)  # a NaN stays one, where Python's max may pass it over

    @property
    def largest(self) -> float:
        """Of all parts."""
        return float(np.max(self._largest))

    def to_json(self) -> dict[str, Any]:
        """For the manifest."""
        embedding, *layers, head = self._largest.tolist()
        return {"embedding": embedding, "layers": layers, "head": head}


def _following_tokens(ops: Iterable[Op]) -> frozenset[str]:
    """Names of the values that follow from the tokens; the mask's own hold -inf and are none."""
    names = {"inputIds"}
    for op in ops:
        if any(binding in names for bindings in op.inputs.values() for binding in bindings):
            names.update(value.name for value in op.outputs)
    return frozenset(names)
