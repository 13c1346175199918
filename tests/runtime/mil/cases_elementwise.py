"""Elementwise ops, activations and casts."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from tests.runtime.mil.conversion import Case, integers, numbers

X = numbers(2, 3, 4)
POSITIVE = numbers(2, 3, 4, low=0.1, high=3.0)
UNIT = numbers(2, 3, 4, low=-0.99, high=0.99)
INTEGERS = integers(2, 3)
NONZERO = np.array([[1, -2, 3]], np.int32)
BOOLS = integers(2, 3) > 0
WIDE = numbers(5, 41, low=-12.0, high=12.0)

_ANY = [
    *("abs", "atan", "ceil", "cos", "cosh", "erf", "exp", "exp2", "floor", "round"),
    *("sign", "sin", "sinh", "square", "tan", "tanh", "sigmoid", "relu", "relu6", "softsign"),
]
_UNARY = [Case(name, {"x": WIDE if name in ("erf", "tanh", "sigmoid") else X}) for name in _ANY]
_UNARY += [Case(name, {"x": UNIT}) for name in ("acos", "asin", "atanh")]
_UNARY += [Case(name, {"x": POSITIVE}) for name in ("sqrt", "log", "rsqrt", "inverse")]
_UNARY += [Case(name, {"x": INTEGERS}) for name in ("abs", "sign", "square")]
_UNARY += [
    Case("log", {"x": POSITIVE}, {"epsilon": np.float32(0.5)}),
    Case("rsqrt", {"x": POSITIVE}, {"epsilon": np.float32(0.5)}),
    Case("inverse", {"x": POSITIVE}, {"epsilon": np.float32(0.5)}),
    Case("round", {"x": np.array([0.5, 1.5, 2.5, -0.5, -1.5], np.float32)}, note="halves"),
    Case("logical_not", {"x": BOOLS}),
    Case("identity", {"x": X}),
    Case("clip", {"x": X}, {"alpha": np.float32(-0.5), "beta": np.float32(0.75)}),
    Case("threshold", {"x": X}, {"alpha": np.float32(0.25)}),
]

_ARITHMETIC = ["add", "sub", "mul", "maximum", "minimum"]
_COMPARISONS = ["equal", "not_equal", "greater", "greater_equal", "less", "less_equal"]
_BINARY = [Case(name, {"x": X, "y": numbers(3, 1, seed=1)}) for name in [*_ARITHMETIC, *_COMPARISONS]]
_BINARY += [Case(name, {"x": INTEGERS, "y": integers(2, 3, seed=1)}) for name in [*_ARITHMETIC, *_COMPARISONS]]
_BINARY += [Case(name, {"x": X, "y": numbers(4, seed=1, low=0.3)}) for name in ("real_div", "floor_div", "mod")]
_BINARY += [Case(name, {"x": X, "y": numbers(4, seed=1, high=-0.3)}) for name in ("floor_div", "mod")]
_BINARY += [Case(name, {"x": INTEGERS, "y": NONZERO}) for name in ("floor_div", "mod")]
_BINARY += [Case(name, {"x": BOOLS, "y": ~BOOLS[:1]}) for name in ("logical_and", "logical_or", "logical_xor")]
_BINARY += [
    Case("pow", {"x": POSITIVE, "y": X}),
    Case("pow", {"x": X}, {"y": np.float32(2)}),
    Case("real_div", {"x": INTEGERS, "y": NONZERO}, expected=lambda x, y: np.trunc(x / y), note="integers"),
    Case("select", {"cond": BOOLS, "a": numbers(2, 3), "b": numbers(1, 3, seed=1)}, expected=torch.where),
    Case("select", {"cond": BOOLS, "a": INTEGERS}, {"b": np.int32(7)}, expected=lambda c, a: torch.where(c, a, 7)),
]

_FLOATS_TO_CUT = np.array([-2.7, -0.5, 0.0, 0.5, 2.7], np.float32)
_CASTS = [
    Case("cast", {"x": _FLOATS_TO_CUT}, {"dtype": "int32"}),
    Case("cast", {"x": _FLOATS_TO_CUT}, {"dtype": "bool"}),
    Case("cast", {"x": INTEGERS}, {"dtype": "fp32"}),
    Case("cast", {"x": INTEGERS}, {"dtype": "bool"}),
    Case("cast", {"x": BOOLS}, {"dtype": "fp32"}),
    Case("cast", {"x": BOOLS}, {"dtype": "int32"}),
    Case("cast", {"x": np.array([5, 127, 128, 300, -129], np.int32)}, {"dtype": "int8"}),
    Case("cast", {"x": np.array([5, 255, 256, -1], np.int32)}, {"dtype": "uint8"}),
    Case("cast", {"x": np.array([5, 32767, 32768, 65023], np.int32)}, {"dtype": "int16"}),
    Case("cast", {"x": np.array([5, 65023, 65536, -1], np.int32)}, {"dtype": "uint16"}),
]

_ALPHA, _BETA = np.float32(0.3), np.float32(0.6)
_CHANNELS = {"alpha": numbers(3, low=0.1), "beta": numbers(3, seed=1, low=0.1)}
_ACTIVATIONS = [
    Case("gelu", {"x": WIDE}, {"mode": "EXACT"}),
    Case("gelu", {"x": WIDE}, {"mode": "TANH_APPROXIMATION"}),
    Case("gelu", {"x": WIDE}, {"mode": "SIGMOID_APPROXIMATION"}),
    Case("silu", {"x": WIDE}, expected=F.silu),
    Case("softplus", {"x": WIDE}),
    Case("softplus_parametric", {"x": numbers(2, 3, 4, 5)}, _CHANNELS),
    Case("elu", {"x": X}, {"alpha": _ALPHA}),
    Case("leaky_relu", {"x": X}, {"alpha": _ALPHA}),
    Case(
        "clamped_relu",
        {"x": X},
        {"alpha": _ALPHA, "beta": _BETA},
        expected=lambda x: F.leaky_relu(x, 0.3).clamp(max=0.6),
    ),
    Case("thresholded_relu", {"x": X}, {"alpha": _ALPHA}, expected=lambda x: F.threshold(x, 0.3 - 1e-7, 0.0)),
    Case("linear_activation", {"x": X}, {"alpha": _ALPHA, "beta": _BETA}),
    Case("scaled_tanh", {"x": X}, {"alpha": _ALPHA, "beta": _BETA}),
    Case("sigmoid_hard", {"x": X}, {"alpha": _ALPHA, "beta": _BETA}),
    Case("prelu", {"x": numbers(2, 3, 4, 5)}, {"alpha": _CHANNELS["alpha"]}),
    Case("softmax", {"x": WIDE}),
    Case("softmax", {"x": X}, {"axis": 1}),
]

_SCALES = np.array([0.5, 0.25, 2.0], np.float32)
_POINTS = np.array([1, -2, 3], np.int8)


def _quantised(x: torch.Tensor) -> torch.Tensor:
    return torch.fake_quantize_per_tensor_affine(x, 0.125, 3, -128, 127) / 0.125 + 3


def _quantised_by_column(x: torch.Tensor) -> torch.Tensor:
    scales, points = torch.from_numpy(_SCALES), torch.from_numpy(_POINTS).int()
    return torch.fake_quantize_per_channel_affine(x, scales, points, 1, -128, 127) / scales + points


_ONE_SCALE = {"scale": np.float32(0.125), "zero_point": np.int8(3), "output_dtype": "int8"}
_BY_COLUMN = {"scale": _SCALES, "zero_point": _POINTS, "axis": 1, "output_dtype": "int8"}
_QUANTISATION = [
    Case("quantize", {"input": numbers(5, 41, low=-30.0, high=30.0)}, _ONE_SCALE, _quantised, opset=17),
    Case("quantize", {"input": numbers(2, 3)}, _BY_COLUMN, _quantised_by_column, opset=17),
]

CASES = [*_UNARY, *_BINARY, *_CASTS, *_ACTIVATIONS, *_QUANTISATION]
