"""The work folder: one export at a time, nothing left without use, and an old bundle that is never lost."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from export.space import DiskError
from export.workfolder import WorkFolder, put_in_place, work_folder
from runtime.manifest import set_aside_path


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out" / "bundle"


def make(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(text)
    return folder


def finish_a_tensor(work: WorkFolder) -> Path:
    (work.tensors / "a").mkdir(parents=True)
    (work.tensors / "b.partial").mkdir()
    (work.tensors / "a" / "tensor.json").write_text("{}")
    return work.tensors / "a" / "tensor.json"


def fail(output: Path, error: BaseException, *, finished: bool) -> None:
    with work_folder(output) as work:
        work.begin("key")
        work.bundle.mkdir()
        if finished:
            finish_a_tensor(work)
        raise error


@pytest.mark.parametrize("error", [ValueError(), KeyboardInterrupt(), OSError(errno.EIO, "")])
def test_after_a_failure_only_what_is_finished_stays(output: Path, error: BaseException) -> None:
    with pytest.raises(type(error)):
        fail(output, error, finished=False)
    assert list(output.parent.iterdir()) == [], "an empty work folder is of no use"
    with pytest.raises(type(error)):
        fail(output, error, finished=True)
    (work,) = output.parent.iterdir()
    assert {f.relative_to(work).as_posix() for f in work.rglob("*") if f.is_file()} == {
        "lock",
        "key",
        "tensors/a/tensor.json",
    }
    assert not (work / "bundle").exists()
    assert not (work / "tensors" / "b.partial").exists()


def test_it_goes_when_the_export_has_ended_well(output: Path) -> None:
    with work_folder(output) as work:
        finish_a_tensor(work)
    assert list(output.parent.iterdir()) == []


def test_another_key_clears_everything_and_the_same_only_the_bundle(output: Path) -> None:
    with work_folder(output) as work:
        work.begin("key")
        tensor = finish_a_tensor(work)
        inputs = work.measured("text")
        work.bundle.mkdir()
        work.begin("key")
        assert (tensor.exists(), inputs.exists(), work.bundle.exists()) == (True, True, False)
        assert work.measured("other text").exists()
        assert not inputs.exists()
        work.begin("another")
        assert (tensor.exists(), work.measured("text").exists()) == (False, True)


def test_a_full_disk_is_one_sentence(output: Path) -> None:
    with pytest.raises(DiskError, match=r"The disk of .*out is full; free some space and run the same command again"):
        fail(output, OSError(errno.ENOSPC, "No space left on device"), finished=False)


def test_a_new_bundle_takes_the_place_of_the_old(output: Path, tmp_path: Path) -> None:
    make(output, "old")
    put_in_place(make(tmp_path / "made", "new"), output)
    assert (output / "manifest.json").read_text() == "new"
    assert list(output.parent.iterdir()) == [output]


def test_a_replacement_that_fails_leaves_the_old_bundle(output: Path, tmp_path: Path) -> None:
    make(output, "old")
    with pytest.raises(FileNotFoundError):
        put_in_place(tmp_path / "gone", output)
    assert (output / "manifest.json").read_text() == "old"
    assert list(output.parent.iterdir()) == [output]


@pytest.mark.parametrize("after", ["one rename", "both"])
def test_a_replacement_that_was_killed_is_put_right_by_the_next_run(output: Path, after: str) -> None:
    make(set_aside_path(output), "old")
    if after == "both":
        make(output, "new")
    with work_folder(output):
        assert (output / "manifest.json").read_text() == ("old" if after == "one rename" else "new")
    assert list(output.parent.iterdir()) == [output]
