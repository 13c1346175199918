"""Reductions, sorting, normalisation, products, attention, convolution."""

from __future__ import annotations

import itertools

import numpy as np
import torch
import torch.nn.functional as F

from tests.runtime.mil.conversion import Case, integers, numbers

X = numbers(2, 3, 4)
POSITIVE = numbers(2, 3, 4, low=0.2)

_REDUCTIONS = ["sum", "mean", "max", "min", "prod", "l1_norm", "l2_norm", "sum_square", "log_sum_exp"]
_REDUCED = [
    Case(f"reduce_{name}", {"x": X}, {"axes": axes, "keep_dims": keep})
    for name, (axes, keep) in itertools.product(_REDUCTIONS, [([1], False), ([-1, 0], True)])
]
_REDUCED += [Case(f"reduce_{name}", {"x": X}) for name in ("sum", "mean", "max")]
_REDUCED += [Case(f"reduce_{name}", {"x": integers(3, 4)}, {"axes": [0]}) for name in ("sum", "max", "min", "prod")]
_REDUCED += [
    Case("reduce_log_sum", {"x": POSITIVE}, {"axes": [1]}),
    Case("reduce_argmax", {"x": X}, {"axis": 1}),
    Case("reduce_argmax", {"x": X}, {"axis": -1, "keep_dims": True}),
    Case("reduce_argmin", {"x": X}, {"axis": 0}),
    Case("topk", {"x": X}, {"k": 2, "axis": -1}),
    Case("topk", {"x": X}, {"k": 2, "axis": 1, "ascending": True}),
    Case("topk", {"x": X}, {"k": 3, "axis": 2, "return_indices": False}),
    Case("argsort", {"x": X}),
    Case("argsort", {"x": X}, {"axis": 1, "ascending": True}),
    Case("cumsum", {"x": X}, {"axis": 1}),
    Case("cumsum", {"x": X}, {"axis": 2, "reverse": True}),
    Case("cumsum", {"x": X}, {"axis": 2, "exclusive": True}, lambda x: F.pad(x, (1, 0)).cumsum(2)[..., :-1]),
]

_GAMMA, _BETA = numbers(4, seed=1), numbers(4, seed=2)
_IMAGE = numbers(2, 3, 5, 6)
_MEAN, _VARIANCE, _SCALE, _SHIFT = (numbers(3, seed=seed, low=0.2) for seed in range(4))
_EPSILON = np.float32(1e-3)


def _batch_norm(x: torch.Tensor) -> torch.Tensor:
    mean, variance, scale, shift = (torch.from_numpy(item) for item in (_MEAN, _VARIANCE, _SCALE, _SHIFT))
    return F.batch_norm(x, mean, variance, scale, shift, eps=1e-3)


_NORMS = [
    Case("layer_norm", {"x": X}, {"axes": [-1], "gamma": _GAMMA, "beta": _BETA, "epsilon": _EPSILON}),
    Case("layer_norm", {"x": X}, {"axes": [2]}),
    Case("layer_norm", {"x": X}, {"axes": [1], "gamma": numbers(3), "beta": numbers(3, seed=1)}, note="middle"),
    Case("layer_norm", {"x": X}, {"axes": [0, 2], "gamma": numbers(2, 4), "beta": numbers(2, 4, seed=1)}),
    Case(
        "batch_norm",
        {"x": _IMAGE},
        {"mean": _MEAN, "variance": _VARIANCE, "gamma": _SCALE, "beta": _SHIFT, "epsilon": _EPSILON},
        _batch_norm,
    ),
    Case(
        "batch_norm",
        {"x": _IMAGE},
        {"mean": _MEAN, "variance": _VARIANCE},
        lambda x: F.batch_norm(x, torch.from_numpy(_MEAN), torch.from_numpy(_VARIANCE)),
    ),
    Case(
        "instance_norm",
        {"x": _IMAGE},
        {"gamma": _SCALE, "beta": _SHIFT, "epsilon": _EPSILON},
        lambda x: F.instance_norm(x, weight=torch.from_numpy(_SCALE), bias=torch.from_numpy(_SHIFT), eps=1e-3),
    ),
    Case("l2_norm", {"x": _IMAGE}, {"epsilon": _EPSILON}),
]

_WEIGHT, _BIAS = numbers(5, 4, seed=3), numbers(5, seed=4)
_PRODUCTS = [
    Case("linear", {"x": X}, {"weight": _WEIGHT, "bias": _BIAS}),
    Case("linear", {"x": X}, {"weight": _WEIGHT}),
    Case("matmul", {"x": X, "y": numbers(4, 5, seed=1)}),
    Case("matmul", {"x": X, "y": numbers(2, 5, 4, seed=1)}, {"transpose_y": True}),
    Case("matmul", {"x": X, "y": numbers(2, 3, 5, seed=1)}, {"transpose_x": True}),
    Case("matmul", {"x": X}, {"y": _WEIGHT, "transpose_y": True}),
    Case("matmul", {"y": X}, {"x": numbers(3, 3, seed=1)}),
    Case("matmul", {"x": numbers(4), "y": numbers(4, 5, seed=1)}),
    Case("einsum", {"values": [numbers(2, 3, 4, 5), numbers(2, 5, 4, 6)]}, {"equation": "nchw,nwhr->nchr"}),
    Case("einsum", {"values": [numbers(3, 4, 5), numbers(5, 4, 6)]}, {"equation": "chw,whr->chr"}),
]

_Q, _K, _V = numbers(1, 2, 3, 8), numbers(1, 2, 5, 8, seed=1), numbers(1, 2, 5, 6, seed=2)
_MASK = np.triu(np.full((3, 5), -np.inf, np.float32), 3)
_ATTENTION = [
    Case("scaled_dot_product_attention", {"query": _Q, "key": _K, "value": _V}),
    Case("scaled_dot_product_attention", {"query": _Q, "key": _K, "value": _V, "attn_mask": _MASK}),
    Case("scaled_dot_product_attention", {"query": _Q, "key": _K, "value": _V, "attn_mask": _MASK == 0}),
    Case("scaled_dot_product_attention", {"query": _Q[0], "key": _K[0], "value": _V[0]}),
]

_KERNEL = numbers(4, 3, 3, 2, seed=5)
_LINE, _LINE_BIAS = numbers(4, 3, 3, seed=5), numbers(4, seed=6)
_CONVOLUTIONS = [
    Case(
        "conv",
        {"x": numbers(2, 3, 9)},
        {"weight": _LINE, "bias": _LINE_BIAS, "strides": [2]},
        lambda x: F.conv1d(x, torch.from_numpy(_LINE), torch.from_numpy(_LINE_BIAS), stride=2),
    ),
    Case(
        "conv",
        {"x": _IMAGE},
        {"weight": _KERNEL, "pad_type": "custom", "pad": [1, 2, 0, 1], "dilations": [2, 1]},
        lambda x: F.conv2d(F.pad(x, (0, 1, 1, 2)), torch.from_numpy(_KERNEL), dilation=(2, 1)),
    ),
    Case(
        "conv",
        {"x": numbers(1, 4, 6, 6)},
        {"weight": numbers(4, 1, 3, 3, seed=5), "groups": 4, "pad_type": "same"},
        lambda x: F.conv2d(x, torch.from_numpy(numbers(4, 1, 3, 3, seed=5)), groups=4, padding="same"),
    ),
    Case(
        "conv",
        {"x": _IMAGE},
        {"weight": _KERNEL, "pad_type": "same", "strides": [2, 2]},
        lambda x: F.conv2d(F.pad(x, (0, 0, 1, 1)), torch.from_numpy(_KERNEL), stride=2),
        note="5 rows padded by 2, 6 columns by 0",
    ),
    Case(
        "conv",
        {"x": _IMAGE},
        {"weight": _KERNEL, "pad_type": "same_lower"},
        lambda x: F.conv2d(F.pad(x, (1, 0, 1, 1)), torch.from_numpy(_KERNEL)),
    ),
    Case(
        "conv",
        {"x": numbers(1, 2, 4, 4, 4)},
        {"weight": numbers(3, 2, 2, 2, 2, seed=5)},
        lambda x: F.conv3d(x, torch.from_numpy(numbers(3, 2, 2, 2, 2, seed=5))),
    ),
]

CASES = [*_REDUCED, *_NORMS, *_PRODUCTS, *_ATTENTION, *_CONVOLUTIONS]
