"""Pinned: arrays that Core ML may be given, which are never freed."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

_MARGIN = 64  # references more than are ever dropped


class Pinned:
    """Copies of inputs, in memory and under array objects that last as long as the process.

    coremltools hands Core ML the memory of a NumPy array together with a reference to the array. Core ML keeps the
    inputs of a prediction until its stream has been idle for a second, and then drops the reference on a thread of its
    own, without Python's lock (coremltools 9.0; pull requests 2827 and 2829 of apple/coremltools). If it was the last
    one, the array is freed there and the process dies; so here it never is. The arrays of one name lie over one buffer,
    which grows: there are as many as shapes that were fed.

    Their strides are those of a fresh array. `array[None]` has a stride of 0, which Core ML would be told.
    """

    def __init__(self) -> None:
        self._buffers: dict[tuple[str, np.dtype[Any]], npt.NDArray[Any]] = {}
        self._arrays: dict[tuple[str, np.dtype[Any], tuple[int, ...]], npt.NDArray[Any]] = {}

    def __len__(self) -> int:
        return len(self._arrays)

    def put(self, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """The values of `inputs`, until the next call, in arrays of the same shapes and types."""
        return {name: self._put(name, value) for name, value in inputs.items()}

    def _put(self, name: str, value: npt.NDArray[Any]) -> npt.NDArray[Any]:
        key = (name, value.dtype, value.shape)
        array = self._arrays.get(key)
        if array is None:
            array = self._buffer(name, value)[: value.size].reshape(value.shape)
            _keep_forever(array)
            self._arrays[key] = array
        array[...] = value
        return array

    def _buffer(self, name: str, value: npt.NDArray[Any]) -> npt.NDArray[Any]:
        found = self._buffers.get((name, value.dtype))
        if found is None or found.size < value.size:  # arrays over a smaller one stay as they are
            found = np.empty(1 << (value.size - 1).bit_length(), value.dtype)
            self._buffers[name, value.dtype] = found
        return found


def _keep_forever(array: npt.NDArray[Any]) -> None:
    for _ in range(_MARGIN):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(array))
