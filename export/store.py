"""TensorStore: finished tensors in a work folder, whole or not there at all, so that a killed export goes on."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from export.pages import MappedArrays

_META = "tensor.json"
_CHUNK_BYTES = 1 << 22


@dataclass(frozen=True)
class StoredTensor:
    """One tensor as the program will hold it; arrays are mapped.

    Parts by kind of format: lut `indices` uint8 [O, I] (one a byte) and `codebook` float16 [O/group, N]; block `values`
    int8 [O, I] (one a byte) and `scale` float16 [O, I/block]; dense `values` float16.
    """

    name: str
    format: str
    shape: tuple[int, ...]
    squared_error: float
    squared_norm: float
    parts: dict[str, npt.NDArray[Any]]


class Draft:
    """A tensor being made; its arrays lie in files, so that memory does not grow with its size."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._arrays: list[np.memmap[Any, Any]] = []

    def array(self, part: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """A new array to fill."""
        file = self._folder / f"{part}.npy"
        mapped: np.memmap[Any, Any] = np.lib.format.open_memmap(file, mode="w+", dtype=np.dtype(dtype), shape=shape)
        _reserve(file, mapped.offset)
        self._arrays.append(mapped)
        return mapped

    def flush(self) -> None:
        """Write everything to the files."""
        for array in self._arrays:
            array.flush()


def _reserve(file: Path, header: int) -> None:
    """Give blocks to a file that has only its size: a full disk is an OSError here, and kills who writes a mapping."""
    with file.open("r+b") as stream:
        size = os.fstat(stream.fileno()).st_size
        if sys.platform == "linux":
            os.posix_fallocate(stream.fileno(), 0, size)
        else:
            stream.seek(header)
            for first in range(header, size, _CHUNK_BYTES):
                stream.write(bytes(min(_CHUNK_BYTES, size - first)))


class TensorStore:
    """A folder with one sub-folder a finished tensor.

    `variants` says, by tensor, all that its values depend on beside the checkpoint, fit for a file's name: what was
    made of it in another variant is not found.
    """

    def __init__(self, folder: Path, variants: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.mapped = MappedArrays()
        self._variants = variants or {}
        folder.mkdir(parents=True, exist_ok=True)

    def __contains__(self, name: str) -> bool:
        return (self._place(name) / _META).exists()

    def keep_only_variants(self) -> None:
        """Delete what is in no variant that this store knows."""
        wanted = {self._place(name) for name in self._variants}
        for folder in self.folder.iterdir():
            if folder.is_dir() and folder not in wanted:  # a Mac leaves files of its own anywhere
                shutil.rmtree(folder)

    @contextmanager
    def draft(self, name: str, *, format_name: str, shape: tuple[int, ...]) -> Iterator[tuple[Draft, dict[str, float]]]:
        """Make a tensor: fill the draft's arrays and set `squared_error` and `squared_norm` in the figures."""
        final = self._place(name)
        partial = final.with_name(f"{final.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        draft, figures = Draft(partial), {"squared_error": 0.0, "squared_norm": 0.0}
        yield draft, figures
        draft.flush()
        meta = {"name": name, "format": format_name, "shape": shape, **figures}
        (partial / _META).write_text(json.dumps(meta), encoding="utf-8")
        shutil.rmtree(final, ignore_errors=True)
        partial.replace(final)

    def read(self, name: str) -> StoredTensor:
        """A finished tensor, mapped."""
        folder = self._place(name)
        meta = json.loads((folder / _META).read_text(encoding="utf-8"))
        parts = {file.stem: np.load(file, mmap_mode="r") for file in sorted(folder.glob("[!.]*.npy"))}
        for part in parts.values():
            self.mapped.add(part)
        return StoredTensor(
            name=name,
            format=meta["format"],
            shape=tuple(meta["shape"]),
            squared_error=meta["squared_error"],
            squared_norm=meta["squared_norm"],
            parts=parts,
        )

    def _place(self, name: str) -> Path:
        variant = self._variants.get(name)
        return self.folder / (f"{name}.{variant}" if variant else name)
