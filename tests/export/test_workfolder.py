"""The work folder: one export at a time, nothing left without use, and an old bundle that is never lost."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from export.space import DiskError
from export.store import TensorStore
from export.workfolder import ExportError, WorkFolder, behind_link, check_output, work_folder
from runtime.errors import BundleError, OptionError
from runtime.manifest import Manifest, set_aside_path


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
    assert not output.parent.exists(), "an empty work folder is of no use, nor are folders that were made for it"
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


@pytest.mark.parametrize("named", ["out/deep/bundle", "bundle"])
def test_only_folders_that_were_made_for_it_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    with pytest.raises(KeyboardInterrupt):
        fail(Path(named), KeyboardInterrupt(), finished=False)
    assert list(here.iterdir()) == []
    (here / "out").mkdir()
    with pytest.raises(KeyboardInterrupt):
        fail(Path(named), KeyboardInterrupt(), finished=False)
    assert list(here.iterdir()) == [here / "out"]
    assert list((here / "out").iterdir()) == []


def test_it_goes_when_the_bundle_takes_its_place(output: Path) -> None:
    with work_folder(output) as work:
        finish_a_tensor(work)
        make(work.bundle, "new")
        work.finish(output)
        assert not work.folder.exists()
    assert list(output.parent.iterdir()) == [output]
    assert (output / "manifest.json").read_text() == "new"


@pytest.mark.skipif(sys.platform == "win32", reason="export does not run on Windows")
def test_a_work_folder_that_somebody_has_deleted_hides_no_error(output: Path) -> None:
    def work_and_fail() -> None:
        with work_folder(output) as work:
            shutil.rmtree(work.folder)
            raise ValueError("the first")

    with pytest.raises(ValueError, match="the first"):
        work_and_fail()


@pytest.mark.skipif(sys.platform == "win32", reason="export does not run on Windows")
@pytest.mark.parametrize("is_whole", [True, False])
def test_who_has_ended_leaves_the_next_export_s_folder_alone(output: Path, *, is_whole: bool) -> None:
    """Another process may begin between the moment in which the first has cleared its folder and its end."""
    with contextlib.ExitStack() as later:
        with work_folder(output) as first:
            first.bundle.mkdir()
            if is_whole:
                first.finish(output)
            else:
                first.clear()
            second = later.enter_context(work_folder(output))
            second.begin("key")
            second.bundle.mkdir()
        assert second.bundle.is_dir()
        with pytest.raises(ExportError, match="Another export"), work_folder(output):
            pass


@pytest.mark.skipif(sys.platform == "win32", reason="export does not run on Windows")
def test_ctrl_c_comes_too_late_once_the_bundle_is_whole(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(output, "old")
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if target == output:
            os.kill(os.getpid(), signal.SIGINT)
        return rename(self, target)

    with work_folder(output) as work:
        make(work.bundle, "new")
        with monkeypatch.context() as patched:
            patched.setattr(Path, "rename", interrupted)
            work.finish(output)
    assert list(output.parent.iterdir()) == [output]
    assert (output / "manifest.json").read_text() == "new"


def test_the_bundle_is_on_the_disk_before_it_takes_the_place_of_another(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(output, "old")
    flushed: list[tuple[int, str]] = []
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(
        os, "fsync", lambda handle: flushed.append((os.fstat(handle).st_ino, (output / "manifest.json").read_text()))
    )
    with work_folder(output) as work:
        make(work.bundle, "new")
        work.finish(output)
    assert flushed == [((output / "manifest.json").stat().st_ino, "old")]


def test_files_that_a_mac_leaves_in_the_work_folder_are_in_nobody_s_way(output: Path) -> None:
    with work_folder(output) as work:
        work.begin("key")
        finish_a_tensor(work)
        inputs = work.measured("text")
        for folder in (work.tensors, inputs.parent):
            (folder / ".DS_Store").touch()
        TensorStore(work.tensors).keep_only_variants()
        assert not (work.tensors / "a").exists()
        assert work.measured("other text").exists()
        assert not inputs.exists()


def test_a_folder_that_a_mac_has_shown_is_still_empty(output: Path) -> None:
    output.mkdir(parents=True)
    (output / ".DS_Store").touch()
    check_output(output, "model.mlpackage", force=True)
    (output / "notes.txt").touch()
    with pytest.raises(OptionError, match="exists and is no bundle"):
        check_output(output, "model.mlpackage", force=True)


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
    with pytest.raises(DiskError, match=r"The disk of .*out is full; free some space and try again"):
        fail(output, OSError(errno.ENOSPC, "No space left on device"), finished=False)


def test_a_new_bundle_takes_the_place_of_the_old(output: Path) -> None:
    make(output, "old")
    with work_folder(output) as work:
        make(work.bundle, "new")
        work.finish(output)
    assert (output / "manifest.json").read_text() == "new"
    assert list(output.parent.iterdir()) == [output]


def test_a_replacement_that_fails_leaves_the_old_bundle(output: Path) -> None:
    make(output, "old")
    with pytest.raises(FileNotFoundError), work_folder(output) as work:
        work.finish(output)  # there is no new one
    assert (output / "manifest.json").read_text() == "old"
    assert list(output.parent.iterdir()) == [output]


def test_a_replacement_through_a_link_that_was_killed_is_put_right_too(output: Path, tmp_path: Path) -> None:
    make(set_aside_path(output), "old")
    link = tmp_path / "link"
    link.symlink_to(output)
    with pytest.raises(BundleError, match=rf"the old bundle is in {set_aside_path(output)}: rename it back"):
        Manifest.read(link)
    assert behind_link(link) == output
    with work_folder(behind_link(link)):
        assert (link / "manifest.json").read_text() == "old"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system takes no such name")
def test_a_place_whose_path_is_no_utf_8_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = tmp_path / os.fsdecode(b"odd\xff")
    odd.mkdir()
    monkeypatch.chdir(odd)
    for output in (odd, Path("tiny")):
        with pytest.raises(OptionError, match=r"is no UTF-8, and coremltools cannot write there; .+ another --output"):
            behind_link(output)


@pytest.mark.parametrize("after", ["one rename", "both"])
def test_a_replacement_that_was_killed_is_put_right_by_the_next_run(output: Path, after: str) -> None:
    make(set_aside_path(output), "old")
    if after == "both":
        make(output, "new")
    with work_folder(output):
        assert (output / "manifest.json").read_text() == ("old" if after == "one rename" else "new")
    assert list(output.parent.iterdir()) == [output]
