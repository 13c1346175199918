"""Ops on shapes, slices and indices."""

from __future__ import annotations

import numpy as np
import torch

from tests.runtime.mil.conversion import Case, integers, numbers

X = numbers(3, 4, 5)
M = numbers(3, 4)


def _array(*items: int) -> np.ndarray:
    return np.array(items, np.int32)


ON, OFF = np.float32(2.5), np.float32(-1.0)


def _slice(begin: list[int], end: list[int], *, fed: bool = False, **params: list[bool] | list[int]) -> Case:
    ends = {"begin": np.array(begin, np.int32), "end": np.array(end, np.int32)}
    if fed:
        shapes = {"x": X, **ends}
        wanted = torch.from_numpy(X)[tuple(map(slice, begin, end))]
        return Case("slice_by_index", shapes, params, expected=lambda *_: wanted, note=f"fed,{begin},{end}")
    return Case("slice_by_index", {"x": X}, {**ends, **params}, note=f"{begin},{end}")


_SLICES = [
    _slice([1, 0, 2], [3, 2, 5]),
    _slice([-2, -3, 0], [3, -1, 100]),
    _slice([0, 0, 0], [3, 4, 5], stride=[2, 1, 3]),
    _slice([2, 3, 4], [0, 0, 0], stride=[-1, -2, -3], end_mask=[True, False, True]),
    _slice([-1, 0, 1], [-4, 4, 4], stride=[-1, 1, 2]),
    _slice([9, 1, 1], [9, 2, 2], begin_mask=[True, False, False], end_mask=[True, False, True]),
    _slice([1, -1, 1], [2, 4, 3], squeeze_mask=[True, True, False]),
    _slice([1, 3, 2], [2, 0, 5], stride=[1, -1, 1], squeeze_mask=[True, False, False]),
    _slice([0, 1, 0], [2, 3, 5], fed=True),
    Case("slice_by_size", {"x": X}, {"begin": np.array([1, -2, 0]), "size": np.array([2, -1, 3])}),
    Case(
        "slice_by_size",
        {"x": X, "begin": np.array([1, 1, 2], np.int32)},
        {"size": np.array([1, 2, 3])},
        expected=lambda x, _: x[1:2, 1:3, 2:5],
    ),
]


def _update(shape: tuple[int, ...], begin: list[int], end: list[int], **params: list[bool] | list[int]) -> Case:
    ends = {"begin": np.array(begin, np.int32), "end": np.array(end, np.int32)}
    return Case("slice_update", {"x": X, "update": numbers(*shape, seed=3)}, {**ends, **params}, note=f"{begin},{end}")


_UPDATES = [
    _update((2, 2, 3), [1, 0, 2], [3, 2, 5]),
    _update((2, 1, 2), [0, 1, 0], [3, 2, 5], stride=[2, 1, 3]),
    _update(
        (4, 2),
        [1, 0, 1],
        [2, 9, 3],
        begin_mask=[False, True, False],
        end_mask=[False, True, False],
        squeeze_mask=[True, False, False],
    ),
    Case(
        "slice_update",
        {
            "x": M,
            "update": numbers(1, 2, seed=4),
            "begin": np.array([2, 1], np.int32),
            "end": np.array([3, 3], np.int32),
        },
        expected=lambda x, update, *_: torch.cat([x[:2], torch.cat([x[2:, :1], update, x[2:, 3:]], 1)]),
    ),
]

_SHAPES = [
    Case("shape", {"x": X}),
    Case("reshape", {"x": X}, {"shape": [5, -1]}),
    Case("reshape", {"x": X}, {"shape": [0, -1, 2]}, opset=16, note="zero"),
    Case("reshape", {"x": X}, {"shape": [-1, 0, 0]}, note="zeros"),
    Case("reshape", {"x": X}, {"shape": [3, 1, 0, 0]}, note="zeros, more axes"),
    Case("reshape", {"x": X, "shape": np.array([4, 15], np.int32)}, expected=lambda x, _: x.reshape(4, 15)),
    Case("expand_dims", {"x": M}, {"axes": [0, -1, 2]}),
    Case("squeeze", {"x": numbers(1, 3, 1, 2, 1)}),
    Case("squeeze", {"x": numbers(1, 3, 1, 2, 1)}, {"axes": [0, -1]}),
    Case("transpose", {"x": X}, {"perm": [2, 0, -2]}),
    Case("concat", {"values": [M, numbers(2, 4, seed=1)]}, {"axis": 0}),
    Case("concat", {"values": [M, numbers(3, 1, seed=1), M]}, {"axis": -1}),
    Case(
        "concat",
        {"values": [M, numbers(3, 4, seed=1)]},
        {"axis": 1, "interleave": True},
        expected=lambda values: torch.stack(values, -1).reshape(3, 8),
    ),
    Case("stack", {"values": [M, numbers(3, 4, seed=1)]}, {"axis": 1}),
    Case("stack", {"values": [M, numbers(3, 4, seed=1)]}, {"axis": -1}),
    Case("split", {"x": X}, {"num_splits": 2, "axis": 1}),
    Case("split", {"x": X}, {"split_sizes": [1, 3, 1], "axis": -1}),
    Case("tile", {"x": M}, {"reps": [2, 3]}),
    Case("tile", {"x": M, "reps": np.array([3, 1], np.int32)}, expected=lambda x, _: x.repeat(3, 1)),
    Case("reverse", {"x": X}),
    Case("reverse", {"x": X}, {"axes": [0, -1]}),
    Case("flatten2d", {"x": X}, {"axis": 2}, expected=lambda x: x.reshape(12, 5)),
    Case("sliding_windows", {"x": X}, {"axis": 1, "size": 2, "stride": 2}, expected=lambda x: x.reshape(3, 2, 2, 5)),
    Case(
        "reshape_like",
        {"x": numbers(6, 10), "ref_tensors": [X, M]},
        {"begins": [2, 0], "ends": [0, 2], "end_masks": [True, False]},
        expected=lambda x, _: x.reshape(5, 3, 4),
    ),
    Case("pad", {"x": M}, {"pad": [1, 2], "mode": "constant", "constant_val": np.float32(7)}),
    Case("pad", {"x": X}, {"pad": [0, 1, 2, 0], "mode": "reflect"}),
    Case("pad", {"x": X}, {"pad": [1, 1, 0, 2, 3, 0], "mode": "replicate"}),
    Case("band_part", {"x": X}, {"lower": 1, "upper": 0}),
    Case("band_part", {"x": X}, {"lower": -1, "upper": 2}),
    Case("fill", {"shape": np.array([2, 3], np.int32)}, {"value": ON}, expected=lambda _: torch.full((2, 3), 2.5)),
    Case("fill_like", {"ref_tensor": M}, {"value": OFF}),
    Case("one_hot", {"indices": np.array([2, 0], np.int32)}, {"one_hot_vector_size": 3}, lambda i: torch.eye(3)[i]),
    Case(
        "one_hot",
        {"indices": np.array([[2, 0], [1, 1]], np.int32)},
        {"one_hot_vector_size": 3, "axis": 1, "on_value": ON, "off_value": OFF},
        lambda i: (torch.eye(3)[i] * 3.5 - 1).permute(0, 2, 1),
    ),
    Case("non_zero", {"x": np.array([[0, 3], [5, 0], [1, 1]], np.int32)}),
]

_DEEP = numbers(2, 3, 4, 5)


def _batched(x: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    return torch.stack([x[b].index_select(1, indices[b].reshape(-1)) for b in range(2)])


_GATHERS = [
    Case("gather", {"x": X, "indices": np.array([2, 0, 2], np.int32)}),
    Case("gather", {"x": X, "indices": integers(2, 2, low=0, high=5)}, {"axis": -1}),
    Case("gather", {"x": X}, {"indices": np.int32(1), "axis": 1}),
    Case("gather", {"x": X, "indices": np.array([-1, -3], np.int32)}, {"axis": 1}, opset=16, note="negative"),
    Case("gather", {"x": _DEEP, "indices": integers(2, 6, low=0, high=4)}, {"axis": 2, "batch_dims": 1}, _batched),
    Case(
        "gather",
        {"x": numbers(2, 2, 4), "indices": integers(2, 2, 3, low=0, high=4)},
        {"axis": 2, "batch_dims": 2},
        lambda x, i: torch.gather(x, 2, i.long()),
    ),
    Case("gather_along_axis", {"x": X, "indices": integers(3, 2, 5, low=0, high=4)}, {"axis": 1}),
    Case("gather_along_axis", {"x": X, "indices": integers(3, 4, 2, low=-5, high=5)}, {"axis": -1}, opset=16),
    Case("gather_nd", {"x": X, "indices": integers(6, 2, low=0, high=3)}, {}, lambda x, i: x[i[:, 0], i[:, 1]]),
    Case(
        "gather_nd",
        {"x": X, "indices": integers(3, 2, 1, low=0, high=4)},
        {"batch_dims": 1},
        lambda x, i: torch.stack([x[b][i[b, :, 0]] for b in range(3)]),
    ),
]

_HITS = np.array([2, 0, 2], np.int32)  # one place twice
_NEW = numbers(3, 4, seed=6, low=0.5)
_REDUCES = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def _scatter(mode: str) -> Case:
    def expected(data: torch.Tensor, indices: torch.Tensor, updates: torch.Tensor) -> torch.Tensor:
        result = data.clone()
        for place, update in zip(indices.tolist(), updates, strict=True):
            row = result[place].clone()
            result[place] = {
                "update": update,
                "add": row + update,
                "sub": row - update,
                "mul": row * update,
                "div": row / update,
                "max": torch.maximum(row, update),
                "min": torch.minimum(row, update),
            }[mode]
        return result

    return Case("scatter", {"data": M, "indices": _HITS, "updates": _NEW}, {"mode": mode}, expected)


_SCATTERS = [_scatter(mode) for mode in ("update", "add", "sub", "mul", "div", "max", "min")]
_SCATTERS += [
    Case(
        "scatter",
        {"data": M, "indices": np.array([3, 1], np.int32), "updates": numbers(3, 2, seed=7)},
        {"axis": 1, "mode": "update"},
        lambda data, i, new: torch.index_copy(data, 1, i.long(), new),
    ),
    Case(
        "scatter_along_axis",
        {"data": M, "indices": np.array([[0, 2, 1, 0]], np.int32), "updates": numbers(1, 4, seed=7)},
        {"axis": 0, "mode": "update"},
    ),
    Case(
        "scatter_along_axis",
        {"data": M, "indices": integers(3, 6, low=0, high=4), "updates": numbers(3, 6, seed=7)},
        {"axis": 1, "mode": "add"},
        lambda data, i, new: torch.scatter_add(data, 1, i.long(), new),
    ),
    Case(
        "scatter_nd",
        {"data": X, "indices": np.array([[2, 1], [0, 3]], np.int32), "updates": numbers(2, 5, seed=8)},
        {"mode": "update"},
        lambda data, i, new: torch.index_put(data, (i[:, 0].long(), i[:, 1].long()), new),
    ),
    Case(
        "scatter_nd",
        {"data": M, "indices": np.array([[2], [2]], np.int32), "updates": numbers(2, 4, seed=8)},
        {"mode": "add"},
        lambda data, i, new: torch.index_put(data, (i[:, 0].long(),), new, accumulate=True),
    ),
]

CASES = [*_SLICES, *_UPDATES, *_SHAPES, *_GATHERS, *_SCATTERS]
