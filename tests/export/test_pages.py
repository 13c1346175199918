"""Pages of mapped files leave resident memory and come back with the same bytes."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import numpy as np
import pytest

from export.pages import MappedArrays
from tests import patience

MEGABYTES = 64


def resident_file_bytes() -> int:
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    return 1024 * int(fields["RssFile"].split()[0])


def make_map(tmp_path: Path) -> np.ndarray:
    np.save(tmp_path / "a.npy", np.arange(MEGABYTES << 17, dtype=np.int64))
    return np.load(tmp_path / "a.npy", mmap_mode="r")  # type: ignore[no-any-return]


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory by kind is read from /proc, which only Linux has")
def test_dropped_pages_are_no_longer_resident(tmp_path: Path) -> None:
    array = make_map(tmp_path)
    arrays = MappedArrays()
    arrays.add(array)
    total = int(array.sum())
    before = resident_file_bytes()
    arrays.drop()
    assert before - resident_file_bytes() > (MEGABYTES << 20) * 0.9
    assert int(array.sum()) == total


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory by kind is read from /proc, which only Linux has")
def test_pages_are_dropped_while_others_work(tmp_path: Path) -> None:
    array = make_map(tmp_path)
    arrays = MappedArrays()
    arrays.add(array)
    with arrays.dropping():
        before = resident_file_bytes()  # of the array little or nothing: it was written by another way
        while resident_file_bytes() < before + (MEGABYTES << 19):
            array.sum()
        patience.until(lambda: resident_file_bytes() < before + (MEGABYTES << 18))


def test_an_array_that_nobody_holds_is_forgotten(tmp_path: Path) -> None:
    arrays = MappedArrays()
    arrays.add(make_map(tmp_path))
    gc.collect()
    arrays.drop()
    assert arrays._arrays == []


def test_arrays_in_memory_are_left_alone() -> None:
    arrays = MappedArrays()
    arrays.add(np.zeros(3))
    assert arrays._arrays == []
