"""What an export needs is told from the config alone, and no more than it can take."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from export import space
from export.recipes import make_recipe
from export.space import DiskError, SpaceError, check_size, check_space, stored_bytes
from models.family import FAMILY
from runtime.errors import OptionError

CONFIG = FAMILY["7b"]
EIGHT_BITS = stored_bytes(CONFIG, make_recipe(CONFIG, weights="lut8"))[1]


def needed(folder: Path, size: int | None = None, weights: str = "lut4", **more: int) -> str:
    recipe = make_recipe(CONFIG, weights=weights, size_bytes=size)
    return check_space(folder, CONFIG, recipe, **{"already": 0, **more}).partition(" of disk and")[0]


@pytest.fixture(autouse=True)
def large_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**12))
    monkeypatch.setattr(space, "available_memory", lambda: None)


def test_a_size_beyond_eight_bits_everywhere_needs_no_more_than_they_do(tmp_path: Path) -> None:
    assert needed(tmp_path, size=10**13) == needed(tmp_path, size=EIGHT_BITS) == needed(tmp_path, weights="lut8")
    assert needed(tmp_path, size=EIGHT_BITS // 2 + 10**9) != needed(tmp_path, size=EIGHT_BITS)


def test_a_size_that_four_bits_exceed_is_refused_and_the_least_size_is_not() -> None:
    least = stored_bytes(CONFIG, make_recipe(CONFIG))[1]
    check_size(CONFIG, make_recipe(CONFIG, size_bytes=least))
    with pytest.raises(OptionError, match=r"--size 3\.\d+ GB is less than the 3\.\d+ GB .* ask for more"):
        check_size(CONFIG, make_recipe(CONFIG, size_bytes=least - 1))


def test_a_download_to_the_same_disk_counts_and_what_lies_there_already_does_not(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match=r"The download \(2,\d+ GB\) and the export need .* of free disk"):
        needed(tmp_path, download=2 * 10**12)
    assert needed(tmp_path, download=5 * 10**9, already=5 * 10**9) == needed(tmp_path)


def test_a_calibration_needs_the_memory_that_it_was_measured_to_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "available_memory", lambda: 1_300_000_000)
    needed(tmp_path)
    with pytest.raises(SpaceError, match=r"needs 1\.\d+ GiB of free memory"):
        check_space(tmp_path, CONFIG, make_recipe(CONFIG, calibration="0" * 64), already=0)
