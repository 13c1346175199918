"""Symmetric linear quantization: whole numbers of 4 or 8 bits times a positive float16 scale for each block of a row.

The scale is not simply the largest magnitude over the largest number: a few sizes are tried, among them that one, and
the one with the least squared error wins. On normally distributed blocks of 32 this takes a fifth off the error.
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

# The scale that maps a block's largest magnitude to the largest number, divided by each of these, is tried.
_SHRINKS = np.concatenate([[1.0], np.linspace(0.97, 1.36, 15)])
_CHUNK = 1 << 20  # weights worked on together


@dataclass(frozen=True, kw_only=True)
class Quantized:
    """weight[o, i] ~ scale[o, i // block] * values[o, i]; the error is against the weights rounded to float16."""

    values: NDArray[np.int8]  # [out, in], from -8 to 7 with 4 bits, from -128 to 127 with 8
    scale: NDArray[np.float16]  # [out, in / block], above zero
    squared_error: float  # sum of (weight - approximation)² over the tensor
    energy: float  # sum of weight²: squared_error / energy is the relative error


def quantize(
    weight: Source | NDArray[np.floating] | torch.Tensor,
    *,
    bits: Literal[4, 8],
    block_size: int | None,
    out_values: NDArray[np.int8] | None = None,
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Quantized:
    """Quantize `weight` [out, in] with one scale for `block_size` columns of a row; None is one for the whole row.

    `out_values` [out, in] takes the values (a memory map, say) and is returned in the result. `threads` defaults to the
    number of cores and does not change the result. `progress` is called with the number of rows finished since last.

    Raises WeightError if the columns do not divide into blocks, or for weights that float16 cannot hold.
    """
    source = Source.of(weight)
    rows, columns = source.shape
    block = columns if block_size is None else block_size
    if bits not in (4, 8):
        raise ValueError(f"bits is 4 or 8, not {bits}")
    if block < 1 or columns % block:
        raise WeightError(
            f"{columns} input columns do not divide into blocks of {block}: choose a block size that divides them."
        )
    source.refuse_unfit()
    if out_values is None:
        out_values = np.empty((rows, columns), np.int8)
    elif out_values.shape != (rows, columns) or out_values.dtype != np.int8:
        raise ValueError(f"out_values must be int8 {(rows, columns)}, not {out_values.dtype} {out_values.shape}")
    values = np.asarray(out_values)
    scale = np.empty((rows, columns // block), np.float16)
    chunk = max(1, _CHUNK // columns)

    def one(first: int) -> tuple[int, float, float]:
        span = slice(first, min(first + chunk, rows))
        weights = source.floats(span)
        scales, error = _quantize_rows(weights, bits, block, _SHRINKS, values[span])
        scale[span] = scales  # exact: each is a float16 value already
        return len(weights), error, float(np.square(weights, dtype=np.float64).sum())

    squared_error = energy = 0.0
    pool = ThreadPoolExecutor(threads or os.cpu_count() or 1, thread_name_prefix="quantize")
    try:
        for done, chunk_error, chunk_energy in pool.map(one, range(0, rows, chunk)):
            squared_error += chunk_error
            energy += chunk_energy
            if progress is not None:
                progress(done)
    finally:
        pool.shutdown(cancel_futures=True)  # after an error or Ctrl-C the chunks not begun are dropped
    return Quantized(values=out_values, scale=scale, squared_error=squared_error, energy=energy)


@compiled
def _round_to_half(x: float) -> float:
    """The float16 value nearest to x, 0 <= x <= 65504: eleven binary digits, fewer below 2^-14 (Dekker 1971)."""
    if x < 2.0**-14:
        return (x + 1.5 * 2.0**28) - 1.5 * 2.0**28
    spread = x * (2.0**42 + 1)
    return spread - (spread - x)


@compiled
def _errors(weights: NDArray[np.float32], scales: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """The squared error of `weights` [block] under each of `scales` [C], all above zero.

    The loop over scales is the inner one so that the compiler can do several at once without reordering any sum.
    """
    inverse = 1.0 / scales
    errors = np.zeros(len(scales))
    for weight in weights:
        for c in range(len(scales)):
            value = np.rint(weight * inverse[c])
            value = low if value < low else value
            value = high if value > high else value
            deviation = weight - value * scales[c]
            errors[c] += deviation * deviation
    return errors


@compiled
def _best_scale(weights: NDArray[np.float32], shrinks: NDArray[np.float64], low: float, high: float) -> float:
    """The scale, a float16 value above zero, under which `weights` [block] lose least among those tried."""
    largest = 0.0
    for weight in weights:
        largest = max(largest, abs(weight))
    smallest = 2.0**-24  # float16's smallest value, for a block of zeros too
    tried = np.empty(len(shrinks))
    for c in range(len(shrinks)):
        tried[c] = max(_round_to_half(largest / (high * shrinks[c])), smallest)
    errors = _errors(weights, tried, low, high)
    best = np.argmin(errors)
    product = 0.0
    square = 0.0
    for weight in weights:  # the scale that suits the numbers just chosen best, by least squares
        value = min(max(np.rint(weight / tried[best]), low), high)
        product += weight * value
        square += value * value
    if square == 0.0:
        return float(tried[best])
    refined = np.full(1, max(_round_to_half(product / square), smallest))
    return float(refined[0] if _errors(weights, refined, low, high)[0] < errors[best] else tried[best])


@compiled
def _quantize_rows(
    weights: NDArray[np.float32], bits: int, block: int, shrinks: NDArray[np.float64], values: NDArray[np.int8]
) -> tuple[NDArray[np.float64], float]:
    """Fill `values` [rows, in] for `weights` [rows, in]; the scales [rows, in / block] and the squared error."""
    rows, columns = weights.shape
    low, high = -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1
    scales = np.empty((rows, columns // block))
    total = 0.0
    for row in range(rows):
        for b in range(columns // block):
            part = weights[row, b * block : (b + 1) * block]
            scale = _best_scale(part, shrinks, low, high)
            scales[row, b] = scale
            for i in range(block):
                value = min(max(np.rint(part[i] / scale), low), high)
                values[row, b * block + i] = np.int8(value)
                total += (part[i] - value * scale) ** 2
    return scales, total
