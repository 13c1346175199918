"""Indices chosen with each other in mind: what rounding one column loses, the columns after it make up for.

Column by column, a weight's rounding error is spread over the columns that are not rounded yet, so that the product
with the recorded inputs changes least (GPTQ, Frantar et al. 2022), with codebooks in place of a grid.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from export.jit import compiled
from export.threads import one_thread

_DAMPING = 0.03  # of the mean square of the inputs, added to each column's: a few thousand tokens tell only so much
SPAN = 4608  # columns that make up for each other; a wider matrix is cut, which bounds the memory for [span, span]
_BLOCK = 128  # columns rounded before the rest of the span is updated, by one product
_ROWS = 1024


def assign_compensated(
    weight: Tensor,
    codebook: npt.NDArray[np.float16],
    inputs: Tensor,
    out_indices: npt.NDArray[np.uint8],
    *,
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Fill `out_indices` [O, I] with entries of `codebook` [O/group, N] (rows ascending) for `weight` [O, I].

    `inputs` [tokens, I] is what the matrix is multiplied with. Rows are independent; the result depends neither on
    `threads` nor on torch's. `progress` is called with the number of weights finished since it was last called.
    """
    group_size = len(weight) // len(codebook)
    table = codebook.astype(np.float32)
    rows = max(group_size, _ROWS // group_size * group_size)
    for first in range(0, weight.shape[1], SPAN):
        columns = slice(first, min(first + SPAN, weight.shape[1]))
        upper = inverse_factor(inputs[:, columns].float())

        def work(begin: int, columns: slice = columns, upper: Tensor = upper) -> int:
            end = min(begin + rows, len(weight))
            part = weight[begin:end, columns].to(torch.float32, copy=True)
            entries = table[begin // group_size : end // group_size]
            _assign_rows(part, entries, upper, out_indices[begin:end, columns], group_size)
            return part.numel()

        with one_thread(), ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
            for done in pool.map(work, range(0, len(weight), rows)):
                if progress is not None:
                    progress(done)


@one_thread()
def inverse_factor(inputs: Tensor) -> Tensor:
    """Upper triangular U [I, I] with UᵀU = (XᵀX/n + damping)⁻¹ for inputs X [n, I], in float32."""
    moments = inputs.T @ inputs
    moments /= len(inputs)
    mean = float(moments.diagonal().mean()) or 1.0  # inputs that are all zero relate no columns
    damping = _DAMPING
    while True:
        damped = moments.clone()
        damped.diagonal().add_(damping * mean)
        lower, failed = torch.linalg.cholesky_ex(damped)
        if not failed:
            upper, failed = torch.linalg.cholesky_ex(torch.cholesky_inverse(lower), upper=True)
            if not failed:
                return torch.Tensor.float(upper)
        damping *= 10  # float32 could not take the root: inputs that hardly differ


def _assign_rows(
    weight: Tensor, table: npt.NDArray[np.float32], upper: Tensor, indices: npt.NDArray[np.uint8], group_size: int
) -> None:
    """Round `weight` [R, I], which is changed on the way."""
    for first in range(0, weight.shape[1], _BLOCK):
        last = min(first + _BLOCK, weight.shape[1])
        block = weight[:, first:last].contiguous().numpy()
        errors = np.empty_like(block)
        chosen = np.empty(block.shape, np.uint8)
        _round_block(block, table, upper[first:last, first:last].contiguous().numpy(), group_size, errors, chosen)
        indices[:, first:last] = chosen
        if last < weight.shape[1]:
            weight[:, last:] -= torch.from_numpy(errors) @ upper[first:last, last:]


@compiled
def _round_block(
    weight: npt.NDArray[np.float32],
    table: npt.NDArray[np.float32],
    upper: npt.NDArray[np.float32],
    group_size: int,
    errors: npt.NDArray[np.float32],
    chosen: npt.NDArray[np.uint8],
) -> None:
    """One block [R, B]: nearest entries of each row's group, and errors scaled for the columns to come."""
    entries = table.shape[1]
    for row in range(weight.shape[0]):
        values = table[row // group_size]
        line = weight[row]
        for column in range(line.shape[0]):
            w = line[column]
            low, high = 0, entries - 1
            while high - low > 1:
                middle = (low + high) // 2
                if values[middle] <= w:
                    low = middle
                else:
                    high = middle
            nearest = low if w - values[low] <= values[high] - w else high
            chosen[row, column] = nearest
            error = (w - values[nearest]) / upper[column, column]
            errors[row, column] = error
            for after in range(column + 1, line.shape[0]):
                line[after] -= error * upper[column, after]
