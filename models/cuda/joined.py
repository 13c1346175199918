"""The products of a block whose attention and MLP are side by side, two to a launch. R rows.

A kernel of tables fills a card while it runs: others beside it would wait for it, so launches are saved instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.compressed import CompressedLinear
from models.cuda.table import Factors, TableMatrix, beside, stacked
from models.cuda.weight import CudaWeight
from models.falcon import Block


@dataclass(frozen=True, kw_only=True)
class Joined:
    """A block's four matrices."""

    query_key_value: TableMatrix
    up: TableMatrix
    dense: TableMatrix
    down: TableMatrix
    first_biases: tuple[Tensor | None, Tensor | None]  # of the first two
    last_bias: Tensor | None  # of the other two, their sum

    def takes(self, rows: int) -> bool:
        """Whether all of them do."""
        return all(matrix.takes(rows) for matrix in (self.query_key_value, self.up, self.dense, self.down))

    def reads(self, rows: int) -> torch.dtype:
        """The type of the numbers that come in."""
        return self.up.reads(rows)

    def norms(self, rows: int) -> bool:
        """Whether `begin` takes inputs that are not normed yet."""
        return rows == 1 and self.query_key_value.norms() and self.up.norms()

    def begin(
        self, of_attention: Tensor, of_mlp: Tensor, norms: Sequence[nn.LayerNorm] = (), *, early: bool
    ) -> tuple[Tensor, Tensor]:
        """Queries, keys and values, float32, and what the MLP's second matrix reads; of inputs that may be one.

        `norms`, one or one for each, are to be made of the inputs first.
        """
        first, last = (norms[0], norms[-1]) if norms else (None, None)
        half = self.reads(len(of_mlp))
        return stacked(
            Factors(matrix=self.query_key_value, x=of_attention, norm=first, bias=self.first_biases[0]),
            Factors(matrix=self.up, x=of_mlp, norm=last, bias=self.first_biases[1], gelu=True, dtype=half),
            early=early,
        )

    def end(self, gathered: Tensor, wide: Tensor, hidden: Tensor, *, early: bool) -> Tensor:
        """`hidden` and what attention, `gathered`, and the MLP, `wide`, add to it: float32 [R, E]."""
        return beside(
            Factors(matrix=self.dense, x=gathered, bias=self.last_bias, added=hidden),
            Factors(matrix=self.down, x=wide),
            early=early,
        )


def joined_of(block: Block) -> Joined | None:
    """None for a block of another kind, and where a matrix is not one of table.cu or has other bits than the others."""
    attention, mlp = block.self_attention, block.mlp
    layers = (attention.query_key_value, mlp.dense_h_to_4h, attention.dense, mlp.dense_4h_to_h)
    tables = [table for layer in layers if (table := _table(layer)) is not None]
    if not block.parallel or len(tables) < len(layers) or len({table.bits for table in tables}) > 1:
        return None
    first, second, third, fourth = (_bias(layer) for layer in layers)
    return Joined(
        query_key_value=tables[0],
        up=tables[1],
        dense=tables[2],
        down=tables[3],
        first_biases=(first, second),
        last_bias=None if third is None or fourth is None else third + fourth,
    )


def _bias(layer: nn.Module) -> Tensor | None:
    return layer.bias if isinstance(layer, CompressedLinear) else None


def _table(layer: nn.Module) -> TableMatrix | None:
    if isinstance(layer, CompressedLinear) and isinstance(layer.weight, CudaWeight):
        return layer.weight.matrix.table
    return None
