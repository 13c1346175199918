"""Reader for weight.bin, the blob file beside a Core ML program (MIL blob storage, version 2). Needs numpy only.

A 64-byte header (uint32 count, uint32 version) comes first. Each blob is a 64-byte record (uint32 sentinel,
uint32 type, uint64 bytes, uint64 position of its data, uint64 padding in bits) and its data, both on 64-byte
boundaries; programs refer to a blob by the position of its record. Types under a byte are packed from the lowest
bit up without gaps, so that an element may lie across two bytes. (github.com/apple/coremltools, mlmodel/src/MILBlob.)
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.arguments import checked_path
from runtime.mil.errors import WeightFileError

_HEADER = struct.Struct("<II")
_RECORD = struct.Struct("<IIQQQ")
_RECORD_BYTES = 64
_SENTINEL = 0xDEADBEEF
_VERSION = 2

_TYPE_NAMES = {
    1: "fp16",
    2: "fp32",
    3: "uint8",
    4: "int8",
    5: "bf16",
    6: "int16",
    7: "uint16",
    8: "int4",
    9: "uint1",
    10: "uint2",
    11: "uint4",
    12: "uint3",
    13: "uint6",
    14: "int32",
    15: "uint32",
}
BITS = {
    **{"fp16": 16, "fp32": 32, "bf16": 16, "uint8": 8, "int8": 8, "uint16": 16, "int16": 16, "int32": 32, "uint32": 32},
    **{"uint1": 1, "uint2": 2, "uint3": 3, "uint4": 4, "uint6": 6, "int4": 4},
}
"""Bits an element takes in the file, by the type's name."""

NUMPY_TYPES: dict[str, Any] = {
    **{"fp16": np.float16, "fp32": np.float32, "uint8": np.uint8, "int8": np.int8, "uint16": np.uint16},
    **{"int16": np.int16, "int32": np.int32, "uint32": np.uint32, "bool": np.bool_},
    **{"uint1": np.uint8, "uint2": np.uint8, "uint3": np.uint8, "uint4": np.uint8, "uint6": np.uint8, "int4": np.int8},
}
"""The numpy type that holds one element, by the type's name; numpy has none for bf16."""


@dataclass(frozen=True)
class Blob:
    """Where one blob lies. `offset` is its record's position, the number by which programs refer to it."""

    dtype: str  # "fp16", "uint4", …
    offset: int
    data_offset: int
    size_in_bytes: int
    padding_in_bits: int  # unused bits at the end of the data

    @property
    def count(self) -> int:
        """Number of elements."""
        return (self.size_in_bytes * 8 - self.padding_in_bits) // BITS[self.dtype]


class BlobFile:
    """A mapped weight.bin: bytes are read from disk when an array is asked for, not before."""

    def __init__(self, path: Path, data: NDArray[np.uint8], blob_count: int) -> None:
        self.path = path
        self.blob_count = blob_count
        self.mapped = data  # for callers that give its pages back to the system
        self._bytes = data.view(np.ndarray)

    @classmethod
    def open(cls, path: Path | str) -> BlobFile:
        """Map the file and check its header; raises WeightFileError, and OptionError for what is no path."""
        path = checked_path("path", path)
        try:
            size = path.stat().st_size
            if size < _RECORD_BYTES:
                raise WeightFileError(f"{path} is damaged: it has only {size} bytes. Export or download it again.")
            data = np.memmap(path, dtype=np.uint8, mode="r")
        except OSError as error:
            reason = error.strerror or error
            raise WeightFileError(f"Cannot read {path} ({reason}). Export or download it again.") from None
        count, version = _HEADER.unpack(data[: _HEADER.size].tobytes())
        if version != _VERSION:
            raise WeightFileError(
                f"{path} is no weight file of version {_VERSION} (its header says {version}). Export it again."
            )
        return cls(path, data, count)

    def blob(self, offset: int) -> Blob:
        """The record at `offset`, checked against the file's size."""
        if offset % _RECORD_BYTES or not 0 < offset <= len(self._bytes) - _RECORD_BYTES:
            raise self._damaged(offset, "the file ends before it")
        sentinel, code, size, data_offset, padding = _RECORD.unpack(
            self._bytes[offset : offset + _RECORD.size].tobytes()
        )
        if sentinel != _SENTINEL:
            raise self._damaged(offset, "no weight starts there")
        if code not in _TYPE_NAMES:
            raise self._damaged(offset, f"its type {code} is unknown")
        if data_offset + size > len(self._bytes):
            raise self._damaged(offset, f"the file ends {data_offset + size - len(self._bytes)} bytes too early")
        return Blob(_TYPE_NAMES[code], offset, data_offset, size, padding)

    def packed(self, blob: Blob, begin: int = 0, end: int | None = None) -> NDArray[np.uint8]:
        """Bytes `begin` to `end` of the blob's data, mapped and read-only."""
        stop = blob.size_in_bytes if end is None else end
        return self._bytes[blob.data_offset + begin : blob.data_offset + stop]

    def array(self, offset: int, shape: Sequence[int]) -> NDArray[Any]:
        """The blob as an array of `shape`; mapped and read-only for whole-byte types, unpacked for the rest.

        bf16, which numpy lacks, comes as float32.
        """
        blob = self.blob(offset)
        count = math.prod(shape)
        if blob.count != count:
            raise self._damaged(offset, f"it has {blob.count} elements where the program has {count}")
        return self.elements(blob, 0, count).reshape(tuple(shape))

    def elements(self, blob: Blob, begin: int, end: int) -> NDArray[Any]:
        """Elements `begin` to `end` of a blob, flat."""
        bits = BITS[blob.dtype]
        if bits < 8:
            return self._sub_byte_elements(blob, begin, end)
        data = self.packed(blob, begin * bits // 8, end * bits // 8)
        if blob.dtype == "bf16":
            return (data.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        return data.view(NUMPY_TYPES[blob.dtype])

    def _sub_byte_elements(self, blob: Blob, begin: int, end: int) -> NDArray[Any]:
        bits = BITS[blob.dtype]
        # Eight elements always end on a whole byte: start at one such place and drop what was not asked for.
        start = begin - begin % 8
        data = self.packed(blob, start * bits // 8, -(-end * bits // 8))
        return unpack(data, bits, end - start, signed=blob.dtype.startswith("int"))[begin - start :]

    def _damaged(self, offset: int, reason: str) -> WeightFileError:
        return WeightFileError(
            f"{self.path} is damaged at byte {offset}: {reason}. Export the model again or download it again."
        )


def unpack(packed: NDArray[np.uint8], bits: int, count: int, *, signed: bool = False) -> NDArray[Any]:
    """`count` elements of `bits` (1, 2, 3, 4 or 6) bits each out of packed bytes, as uint8 (int8 when signed)."""
    mask = np.uint8((1 << bits) - 1)
    if 8 % bits == 0:
        per_byte = 8 // bits
        out = np.empty((len(packed), per_byte), np.uint8)
        for place in range(per_byte):
            np.bitwise_and(packed >> np.uint8(place * bits), mask, out=out[:, place])
    else:
        # Three bytes hold a whole number of elements of 3 and of 6 bits.
        triples = np.zeros((-(-len(packed) // 3), 3), np.uint8)
        triples.reshape(-1)[: len(packed)] = packed
        words = triples[:, 0].astype(np.uint32)
        words |= triples[:, 1].astype(np.uint32) << 8
        words |= triples[:, 2].astype(np.uint32) << 16
        out = np.empty((len(words), 24 // bits), np.uint8)
        for place in range(24 // bits):
            np.bitwise_and(words >> (place * bits), mask, out=out[:, place], casting="unsafe")
    elements = out.reshape(-1)[:count]
    if not signed:
        return elements
    shift = 8 - bits
    return (elements << np.uint8(shift)).view(np.int8) >> np.int8(shift)
