"""Find every stored tensor in a package's weight file by its bytes, which proves that the file holds what was meant."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from export.pages import MappedArrays
from export.progress import Progress
from export.store import StoredTensor, TensorStore
from runtime.errors import BundleError
from runtime.manifest import BITS, Part, WeightEntry
from runtime.mil.blob import Blob, BlobFile

_ALIGNMENT = 64
_CHUNK = 1 << 24  # elements packed at a time; a multiple of 4, so that no 6-bit value is cut


def locate(store: TensorStore, names: list[str], weight_file: Path, progress: Progress) -> dict[str, WeightEntry]:
    """Manifest entries of `names`. Raises BundleError for a tensor whose bytes are not in `weight_file`."""
    blobs: dict[int, list[tuple[int, str]]] = defaultdict(list)
    file = BlobFile.open(weight_file)
    pages = MappedArrays()
    pages.add(file.mapped)
    progress.start("locate", len(file.mapped), "bytes")
    with pages.dropping():
        for blob in _blobs(file):
            digest = hashlib.sha256(file.packed(blob).data).hexdigest()
            blobs[blob.size_in_bytes].append((blob.data_offset, digest))
            progress.advance(blob.data_offset + blob.size_in_bytes)
        entries = {}
        for name in names:
            tensor = store.read(name)
            parts = {part: _find(tensor, part, array, blobs, weight_file) for part, array in tensor.parts.items()}
            entries[name] = WeightEntry(format=tensor.format, shape=tensor.shape, parts=parts)
    progress.finish()
    return entries


def _blobs(file: BlobFile) -> Iterator[Blob]:
    """All blobs, as they lie one after the other on 64-byte boundaries."""
    offset = _ALIGNMENT
    for _ in range(file.blob_count):
        blob = file.blob(offset)
        yield blob
        offset = -(-(blob.data_offset + blob.size_in_bytes) // _ALIGNMENT) * _ALIGNMENT


def _find(
    tensor: StoredTensor,
    part: str,
    array: npt.NDArray[Any],
    blobs: dict[int, list[tuple[int, str]]],
    weight_file: Path,
) -> Part:
    dtype = _stored_type(tensor, part, array)
    size = array.size * BITS[dtype] // 8
    digest = hashlib.sha256()
    for piece in packed(array, BITS[dtype]):
        digest.update(piece)
    for offset, found in blobs[size]:
        if found == digest.hexdigest():
            return Part(offset=offset, bytes=size, dtype=dtype, shape=array.shape)
    raise BundleError(
        f"{weight_file} does not hold {tensor.name} ({part}) as it was compressed; please report this.",
        option=" with the versions that `python -m export --version` prints",
    )


def _stored_type(tensor: StoredTensor, part: str, array: npt.NDArray[Any]) -> str:
    """Type in the weight file: the store keeps sub-byte integers a byte each."""
    sub_byte = {("lut4", "indices"): "uint4", ("lut6", "indices"): "uint6", ("int4", "values"): "int4"}
    return sub_byte.get((tensor.format, part), "fp16" if array.dtype == np.float16 else array.dtype.name)


def packed(array: npt.NDArray[Any], bits: int) -> Iterator[bytes]:
    """The bytes of `array` in the weight file, in pieces: `bits` an element, each byte filled from its low end."""
    flat = array.reshape(-1)
    for first in range(0, len(flat), _CHUNK):
        piece = flat[first : first + _CHUNK]
        if bits == 4:
            pairs = piece.view(np.uint8).reshape(-1, 2) & 15
            yield (pairs[:, 0] | pairs[:, 1] << 4).tobytes()
        elif bits == 6:
            a, b, c, d = piece.reshape(-1, 4).T.astype(np.uint8)
            three = np.stack([a | b << 6, b >> 2 | c << 4, c >> 4 | d << 2], axis=1)
            yield three.tobytes()
        else:
            yield piece.tobytes()
