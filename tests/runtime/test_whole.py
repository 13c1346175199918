"""What is written whole is on the disk first, where macOS would leave it in the drive's own cache."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from runtime.whole import flush_folder, write_whole

fcntl = pytest.importorskip("fcntl")
FULL = 51  # F_FULLFSYNC


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int | str]:
    """What the system is asked for on a Mac: requests by number, or fsync."""
    asked: list[int | str] = []
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", FULL, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", lambda _handle, request: asked.append(request))
    monkeypatch.setattr(os, "fsync", lambda _handle: asked.append("fsync"))
    return asked


def test_a_mac_s_drive_is_told_to_write_its_cache(asked: list[int | str], tmp_path: Path) -> None:
    write_whole(tmp_path / "file", [b"text"])
    assert asked == [FULL]
    assert (tmp_path / "file").read_bytes() == b"text"


def test_a_disk_that_knows_no_such_request_is_flushed_as_elsewhere(
    asked: list[int | str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(handle: int, request: int) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    write_whole(tmp_path / "file", [b"text"])
    assert asked == ["fsync"]


def test_a_folder_is_flushed_with_all_that_is_in_it(asked: list[int | str], tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    for name in ("one", "inside/two"):
        (tmp_path / name).touch()
    flush_folder(tmp_path)
    assert asked == [FULL, FULL]
