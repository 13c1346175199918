"""Hashes are those of hashlib, and remembered until a file changes."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest

from export.filehash import FileHashes


def test_a_hash_is_remembered_until_the_file_changes(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"a" * 10_000_000)
    reads: list[int] = []
    hashes = FileHashes(tmp_path / "hashes")
    assert hashes.get(file, reads.append) == hashlib.sha256(b"a" * 10_000_000).hexdigest()
    assert reads[-1] == 10_000_000
    reads.clear()
    assert FileHashes(tmp_path / "hashes").get(file, reads.append) == hashlib.sha256(b"a" * 10_000_000).hexdigest()
    assert reads == []
    file.write_bytes(b"b" * 10_000_000)
    os.utime(file, ns=(1, 1))
    assert hashes.get(file, reads.append) == hashlib.sha256(b"b" * 10_000_000).hexdigest()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system takes no such name")
def test_a_file_whose_name_is_no_utf_8_is_hashed(tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"weights\xff")
    file.write_bytes(b"x")
    assert FileHashes(tmp_path / "hashes").get(file, lambda _: None) == hashlib.sha256(b"x").hexdigest()


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    hashes = FileHashes(tmp_path / "file" / "below-a-file")
    assert hashes.get(tmp_path / "file", lambda _: None) == hashlib.sha256(b"x").hexdigest()
