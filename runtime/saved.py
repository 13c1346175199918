"""SavedSession: a conversation's tokens, keys and values in one file, so that it goes on without being read again.

The file, little-endian: magic (8 bytes), version (uint32), bytes of the header (uint32), CRC-32 of these 16 bytes and
the header (uint32); the header, JSON; token ids int32 [tokens]; keys, then values, float16 [layers, kv_heads, tokens,
head_dim]. The header's `crc32` is that of all after it. Backends have no part in it: one reads what another wrote.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from runtime.backends.base import KeyValues
from runtime.errors import SessionFileError
from runtime.whole import write_whole

MAGIC = b"FALCSESS"
FORMAT_VERSION = 1
_PREFIX = struct.Struct("<8sII")
_CRC = struct.Struct("<I")
_MOST_HEADER_BYTES = 1 << 16


@dataclass(frozen=True)
class SavedSession:
    """What a session held, with the bundle of hash `bundle`. The first `prompt_length` tokens were its last prompt."""

    bundle: str
    tokens: tuple[int, ...]
    prompt_length: int
    key_values: KeyValues

    def write(self, file: Path) -> None:
        """Write `file`, readable by its owner only; it appears whole or not at all. Raises SessionFileError."""
        tokens = np.array(self.tokens, "<i4")
        arrays = [np.ascontiguousarray(array, "<f2") for array in (self.key_values.keys, self.key_values.values)]
        parts = [_bytes(array) for array in (tokens, *arrays)]
        crc = 0
        for part in parts:
            crc = zlib.crc32(part, crc)
        header = json.dumps(
            {
                "bundle": self.bundle,
                "crc32": crc,
                "prompt_length": self.prompt_length,
                "shape": self.key_values.keys.shape,
            }
        ).encode()
        prefix = _PREFIX.pack(MAGIC, FORMAT_VERSION, len(header))
        try:
            write_whole(file, [prefix, _CRC.pack(zlib.crc32(header, zlib.crc32(prefix))), header, *parts])
        except OSError as error:
            raise SessionFileError(
                f"{file} cannot be written ({error.strerror}); the model's state was not saved."
            ) from None

    @classmethod
    def read(cls, file: Path, *, bundle: str) -> SavedSession:
        """Read `file`, saved with the bundle of this hash. SessionFileError for any other, or a damaged one."""
        try:
            if file.is_dir():
                raise SessionFileError(f"{file} is a folder; name the file that the session was saved in.")
            if not file.exists():
                raise SessionFileError(f"{file} is no saved session: there is no such file; check the name.")
            if not file.is_file():  # a pipe might never end
                raise SessionFileError(f"{file} is no saved session: it is no file; check the name.")
            with file.open("rb") as stream:
                return _read(stream, file, bundle)
        except OSError as error:
            raise SessionFileError(f"{file} cannot be read ({error.strerror}).") from None


@dataclass(frozen=True)
class _Header:
    bundle: str
    crc32: int
    prompt_length: int
    shape: tuple[int, int, int, int]

    @classmethod
    def parse(cls, text: bytes) -> _Header:
        """Raises ValueError for what is none."""
        raw: Any = json.loads(text)
        if not isinstance(raw, dict):
            raise ValueError("no object")  # noqa: TRY004  (JSON of another kind is damage, not a slip of a caller's)
        shape, counts = raw.get("shape"), [raw.get("crc32"), raw.get("prompt_length")]
        if not isinstance(shape, list) or len(shape) != 4 or not isinstance(raw.get("bundle"), str):
            raise ValueError("no shape, or no bundle")
        if not all(type(count) is int and count >= 0 for count in [*shape, *counts]):
            raise ValueError("a count that is none")
        layers, kv_heads, length, head_dim = shape
        if raw["prompt_length"] > length:
            raise ValueError("a prompt longer than all")
        return cls(raw["bundle"], raw["crc32"], raw["prompt_length"], (layers, kv_heads, length, head_dim))

    @property
    def payload_bytes(self) -> int:
        layers, kv_heads, length, head_dim = self.shape
        return 4 * length + 2 * 2 * layers * kv_heads * length * head_dim


def _read(stream: BufferedReader, file: Path, bundle: str) -> SavedSession:
    damaged = SessionFileError(f"{file} is damaged; the conversation has to be read again.")
    prefix = stream.read(_PREFIX.size)
    if prefix[: len(MAGIC)] != MAGIC:
        raise SessionFileError(f"{file} is no saved session.")
    if len(prefix) < _PREFIX.size:
        raise damaged
    _, version, header_bytes = _PREFIX.unpack(prefix)
    if version > FORMAT_VERSION:
        raise SessionFileError(
            f"{file} has session format {version} and this Falconet reads up to {FORMAT_VERSION}; update Falconet."
        )
    checksum, text = stream.read(_CRC.size), stream.read(min(header_bytes, _MOST_HEADER_BYTES))
    if version < 1 or checksum != _CRC.pack(zlib.crc32(text, zlib.crc32(prefix))):
        raise damaged
    try:
        header = _Header.parse(text)
    except (ValueError, RecursionError):
        raise damaged from None
    if header.bundle != bundle:
        raise SessionFileError(f"{file} was saved with another bundle; the conversation has to be read again.")
    if os.fstat(stream.fileno()).st_size != stream.tell() + header.payload_bytes:
        raise damaged
    tokens = _array(stream, "<i4", (header.shape[2],))
    keys, values = (_array(stream, "<f2", header.shape) for _ in range(2))
    crc = 0
    for array in (tokens, keys, values):
        crc = zlib.crc32(_bytes(array), crc)
    if crc != header.crc32:
        raise damaged
    return SavedSession(header.bundle, tuple(tokens.tolist()), header.prompt_length, KeyValues(keys, values))


def _array(stream: BufferedReader, dtype: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    array = np.empty(shape, dtype)
    stream.readinto(_bytes(array))  # what is short fails the checksum
    return array


def _bytes(array: npt.NDArray[Any]) -> memoryview:
    """The memory of a contiguous array."""
    return array.reshape(-1).view(np.uint8).data
