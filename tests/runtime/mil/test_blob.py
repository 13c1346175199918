"""The reader of weight.bin, against the writer and the reader of coremltools."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from runtime.mil.blob import BlobFile, unpack
from runtime.mil.errors import WeightFileError
from runtime.quiet import quiet

with quiet():
    from coremltools.converters.mil.mil import types
    from coremltools.libmilstoragepython import _BlobStorageWriter

WHOLE = {"uint8": 8, "int8": 8, "uint16": 16, "int16": 16, "int32": 32, "uint32": 32}
SUB_BYTE = {"uint1": 1, "uint2": 2, "uint3": 3, "uint4": 4, "uint6": 6, "int4": 4}


def write(path: Path, dtype: str, values: np.ndarray) -> int:
    """One blob after an odd small one; gives its position."""
    writer = _BlobStorageWriter(str(path))
    writer.write_int8_data(np.arange(3, dtype=np.int8))
    if dtype == "fp16":
        offset = writer.write_fp16_data(values.view(np.uint16))
    elif dtype == "fp32":
        offset = writer.write_float_data(values)
    else:
        kind = types.nptype_from_builtin(getattr(types, dtype))
        offset = getattr(writer, f"write_{dtype}_data")(values.astype(kind))
    return int(offset)


def values_of(dtype: str, count: int) -> np.ndarray:
    generator = np.random.default_rng(count)
    if dtype in SUB_BYTE:
        low = -8 if dtype == "int4" else 0
        return generator.integers(low, low + 2 ** SUB_BYTE[dtype], count).astype(np.int8 if low else np.uint8)
    if dtype in WHOLE:
        bounds = np.iinfo(dtype)
        return generator.integers(bounds.min, bounds.max, count, endpoint=True).astype(dtype)
    return generator.normal(size=count).astype(np.float16 if dtype == "fp16" else np.float32)


@pytest.mark.parametrize("count", [1, 7, 8, 24, 1001])
@pytest.mark.parametrize("dtype", [*WHOLE, *SUB_BYTE, "fp16", "fp32"])
def test_every_type_comes_back_as_it_was_written(tmp_path: Path, dtype: str, count: int) -> None:
    values = values_of(dtype, count)
    offset = write(tmp_path / "weight.bin", dtype, values)
    file = BlobFile.open(tmp_path / "weight.bin")
    blob = file.blob(offset)
    assert (blob.dtype, blob.count, file.blob_count) == (dtype, count, 2)
    np.testing.assert_array_equal(file.array(offset, (count,)), values)


@pytest.mark.parametrize("dtype", [*SUB_BYTE, "fp16"])
def test_a_part_of_a_blob_equals_that_part_of_the_whole(tmp_path: Path, dtype: str) -> None:
    values = values_of(dtype, 203)
    offset = write(tmp_path / "weight.bin", dtype, values)
    file = BlobFile.open(tmp_path / "weight.bin")
    for begin, end in [(0, 203), (1, 2), (5, 77), (8, 16), (101, 203), (50, 50)]:
        np.testing.assert_array_equal(file.elements(file.blob(offset), begin, end), values[begin:end])


def test_bfloat16_comes_as_float32(tmp_path: Path) -> None:
    values = np.array([1.0, -2.5, 3e38], np.float32)
    offset = write(tmp_path / "weight.bin", "uint16", (values.view(np.uint32) >> 16).astype(np.uint16))
    data = bytearray((tmp_path / "weight.bin").read_bytes())
    data[offset + 4 : offset + 8] = struct.pack("<I", 5)
    (tmp_path / "weight.bin").write_bytes(data)
    got = BlobFile.open(tmp_path / "weight.bin").array(offset, (3,))
    np.testing.assert_allclose(got, values, rtol=1 / 128)


def test_unpacking_sets_the_sign_of_four_bits() -> None:
    assert unpack(np.array([0x8F, 0x07], np.uint8), 4, 3, signed=True).tolist() == [-1, -8, 7]


def _cut(data: bytearray, offset: int) -> None:
    del data[-64:]


def _sentinel(data: bytearray, offset: int) -> None:
    data[offset] ^= 0xFF


def _unknown_type(data: bytearray, offset: int) -> None:
    data[offset + 4] = 99


def _huge(data: bytearray, offset: int) -> None:
    data[offset + 8 : offset + 16] = struct.pack("<Q", 2**60)


@pytest.mark.parametrize("damage", [_cut, _sentinel, _unknown_type, _huge])
def test_a_damaged_blob_is_refused_in_one_sentence(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "weight.bin"
    offset = write(path, "fp16", values_of("fp16", 500))
    data = bytearray(path.read_bytes())
    assert callable(damage)
    damage(data, offset)
    path.write_bytes(data)
    with pytest.raises(WeightFileError, match=r"weight\.bin is damaged at byte .* again"):
        BlobFile.open(path).array(offset, (500,))


@pytest.mark.parametrize(("content", "said"), [(b"", "only 0 bytes"), (b"\0" * 64, "version 2"), (None, "Cannot read")])
def test_a_file_that_is_no_weight_file_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "weight.bin").write_bytes(content)
    with pytest.raises(WeightFileError, match=said):
        BlobFile.open(tmp_path / "weight.bin")


def test_an_array_of_another_size_than_the_program_says_is_refused(tmp_path: Path) -> None:
    offset = write(tmp_path / "weight.bin", "uint3", values_of("uint3", 10))
    with pytest.raises(WeightFileError, match="it has 10 elements where the program has 12"):
        BlobFile.open(tmp_path / "weight.bin").array(offset, (3, 4))


def test_the_reader_needs_numpy_only() -> None:
    code = "import sys, runtime.mil.blob; print(sorted({'torch', 'coremltools', 'google.protobuf'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
