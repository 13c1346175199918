"""Palettization: each group of output rows gets a codebook of 2^bits float16 values, and each weight an index into it.

The codebook is the optimum of k-means over the group's weights, found on their at most 65,536 distinct values. Groups
are worked on one by one, so that memory does not grow with the tensor, and on all cores.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from export.halves import Source, WeightError
from export.jit import compiled
from export.kmeans import cluster

Bits = Literal[4, 6, 8]


@dataclass(frozen=True, kw_only=True)
class Palettized:
    """weight[o, i] ~ codebook[o // group_size, indices[o, i]].

    Errors are against the weights rounded to float16, over the whole tensor.
    """

    indices: NDArray[np.uint8]  # [out, in], below 2^bits
    codebook: NDArray[np.float16]  # [out / group_size, 2^bits], each row ascending, its last value repeated if too few
    squared_error: float  # sum of (weight - approximation)²
    weighted_error: float  # the same, each weight times its column's importance; equal to it where none was given
    energy: float  # sum of weight²: squared_error / energy is the relative error


@dataclass(frozen=True)
class _Errors:
    squared: float
    weighted: float
    energy: float


def palettize(
    weight: Source | NDArray[np.floating] | torch.Tensor,
    *,
    bits: Bits,
    group_size: int,
    importance: NDArray[np.float32] | None = None,
    out_indices: NDArray[np.uint8] | None = None,
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Palettized:
    """Palettize `weight` [out, in] with one codebook for each `group_size` rows.

    `importance` [in], finite and not negative, weighs the squared error of each input column. `out_indices` [out, in]
    takes the indices (a memory map, say) and is returned in the result. `threads` defaults to the number of cores and
    does not change the result. `progress` is called with the number of rows finished since it was last called.

    Raises WeightError if the rows do not divide into groups, or for weights that float16 cannot hold.
    """
    source = Source.of(weight)
    rows, columns = source.shape
    if bits not in (4, 6, 8):
        raise ValueError(f"bits is 4, 6 or 8, not {bits}")
    if group_size < 1 or rows % group_size:
        raise WeightError(
            f"{rows} output rows do not divide into groups of {group_size}: choose a group size that divides them."
        )
    if out_indices is None:
        out_indices = np.empty((rows, columns), np.uint8)
    elif out_indices.shape != (rows, columns) or out_indices.dtype != np.uint8:
        raise ValueError(f"out_indices must be uint8 {(rows, columns)}, not {out_indices.dtype} {out_indices.shape}")
    column_weights = _column_weights(importance, columns)
    codebook = np.empty((rows // group_size, 1 << bits), np.float16)
    indices = out_indices

    def one(group: int) -> _Errors:
        span = slice(group * group_size, (group + 1) * group_size)
        return _palettize_group(source, span, column_weights, codebook[group], indices[span])

    errors = []
    pool = ThreadPoolExecutor(threads or os.cpu_count() or 1, thread_name_prefix="palettize")
    try:
        for error in pool.map(one, range(len(codebook))):
            errors.append(error)
            if progress is not None:
                progress(group_size)
    finally:
        pool.shutdown(cancel_futures=True)  # after an error or Ctrl-C the groups not begun are dropped
    return Palettized(
        indices=out_indices,
        codebook=codebook,
        squared_error=sum(error.squared for error in errors),
        weighted_error=sum(error.weighted for error in errors),
        energy=sum(error.energy for error in errors),
    )


def _column_weights(importance: NDArray[np.float32] | None, columns: int) -> NDArray[np.float64]:
    """The importance [in] as float64; empty where every column counts alike."""
    if importance is None:
        return np.empty(0)
    if importance.shape != (columns,):
        raise ValueError(f"importance must have one value for each of {columns} columns, not {importance.shape}")
    weights = importance.astype(np.float64)
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise ValueError("importance must be finite, not negative, and above zero somewhere")
    return weights


def _palettize_group(
    source: Source,
    rows: slice,
    column_weights: NDArray[np.float64],
    codebook: NDArray[np.float16],
    indices: NDArray[np.uint8],
) -> _Errors:
    """Fill `codebook` [2^bits] and `indices` [group_size, in] for these rows."""
    patterns = source.patterns(rows)
    decoded = source.pattern_values()
    present, counts, masses = _histogram(patterns, column_weights)
    values = decoded[present]
    if not np.isfinite(values).all():
        source.refuse_unfit()
    heavy = masses > 0
    clustering = cluster(values[heavy], masses[heavy], len(codebook))
    centroids = np.unique(clustering.centroids.astype(np.float16))
    codebook[: len(centroids)] = centroids
    codebook[len(centroids) :] = centroids[-1]
    codes = _nearest(values, centroids.astype(np.float64))
    _assign(patterns, present, codes, np.asarray(indices))
    deviation = (values - centroids.astype(np.float64)[codes]) ** 2
    # Plain sums, since a BLAS product of vectors may depend on the number of threads.
    sums = ((counts * deviation).sum(), (masses * deviation).sum(), (counts * values**2).sum())
    return _Errors(*map(float, sums))


@compiled
def _histogram(
    patterns: NDArray[np.uint16], column_weights: NDArray[np.float64]
) -> tuple[NDArray[np.uint16], NDArray[np.float64], NDArray[np.float64]]:
    """The patterns that occur, ascending in value, how often, and their summed importance (the count if there is none).

    Floating-point patterns ascend in value downwards from the last negative one, then upwards from zero.
    """
    rows, columns = patterns.shape
    table = np.zeros(1 << 16, np.int32)
    for row in range(rows):
        for column in range(columns):
            table[patterns[row, column]] += 1
    weighted = len(column_weights) > 0
    mass_table = np.zeros(1 << 16 if weighted else 1)
    if weighted:
        for row in range(rows):
            for column in range(columns):
                mass_table[patterns[row, column]] += column_weights[column]
    distinct = 0
    for pattern in range(1 << 16):
        distinct += table[pattern] > 0
    present = np.empty(distinct, np.uint16)
    counts = np.empty(distinct)
    masses = np.empty(distinct)
    found = 0
    for position in range(1 << 16):
        pattern = 0xFFFF - position if position < 0x8000 else position - 0x8000
        if table[pattern] > 0:
            present[found] = pattern
            counts[found] = table[pattern]
            masses[found] = mass_table[pattern] if weighted else table[pattern]
            found += 1
    return present, counts, masses


@compiled
def _nearest(values: NDArray[np.float64], centroids: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The index of the nearest of `centroids` for each of `values`, both ascending; the lower one on a tie."""
    codes = np.empty(len(values), np.uint8)
    code = 0
    for i in range(len(values)):
        while code + 1 < len(centroids) and abs(values[i] - centroids[code + 1]) < abs(values[i] - centroids[code]):
            code += 1
        codes[i] = code
    return codes


@compiled
def _assign(
    patterns: NDArray[np.uint16], present: NDArray[np.uint16], codes: NDArray[np.uint8], indices: NDArray[np.uint8]
) -> None:
    """Write the code of each of `patterns` to `indices`, both [rows, in]."""
    table = np.zeros(1 << 16, np.uint8)
    for i in range(len(present)):
        table[present[i]] = codes[i]
    for row in range(patterns.shape[0]):
        for column in range(patterns.shape[1]):
            indices[row, column] = table[patterns[row, column]]
