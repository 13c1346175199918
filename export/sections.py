"""A program's ops by part of the model: before the first layer, each layer, after the last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from models.config import FalconConfig
from runtime.mil import Op


@dataclass(frozen=True)
class Sections:
    """Ops in the order in which they run, constants left out."""

    embedding: list[Op]
    layers: list[list[Op]]
    head: list[Op]


def split_sections(ops: Iterable[Op], config: FalconConfig) -> Sections:
    """A layer begins with its first norm, the head with the last one."""
    norms_per_layer = 2 if config.norms_per_block == 2 or not config.parallel_attn else 1
    sections: list[list[Op]] = [[]]
    norms = 0
    for op in ops:
        if op.type == "layer_norm":
            if norms % norms_per_layer == 0:
                sections.append([])
            norms += 1
        if op.type != "const" and not op.type.startswith("constexpr_"):
            sections[-1].append(op)
    return Sections(sections[0], sections[1:-1], sections[-1])
