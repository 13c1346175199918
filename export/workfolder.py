"""The work folder: where an export is made, beside its output, and from where the finished bundle takes its place."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from export.space import DiskError
from runtime.errors import OptionError, UserFacingError
from runtime.interrupt import StopOnInterrupt
from runtime.locks import try_lock
from runtime.manifest import MANIFEST_NAME, set_aside_path
from runtime.whole import flush_folder

_LOCK, _KEY = "lock", "key"
_TENSORS, _MEASURED = "tensors", "measured"
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class ExportError(UserFacingError):
    """An export that cannot begin or go on."""


class WorkFolder:
    """What has been finished for one output, and the bundle that is being made of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tensors = folder / _TENSORS
        self.bundle = folder / "bundle"
        self.temporary = folder / "temporary"
        self._is_ours = True

    def measured(self, key: str) -> Path:
        """A folder for what was measured in a way that `key` names; what was measured in another goes."""
        folder = self.folder / _MEASURED / key
        folder.mkdir(parents=True, exist_ok=True)
        for other in folder.parent.iterdir():
            if other.is_dir() and other != folder:
                shutil.rmtree(other)
        return folder

    def begin(self, key: str) -> None:
        """Clear the remains of an earlier bundle, and everything if it was made under another key."""
        mark = self.folder / _KEY
        same = mark.exists() and mark.read_text(encoding="utf-8") == key
        for item in self.folder.iterdir():
            if item.name != _LOCK and not (same and item.name in (_KEY, _TENSORS, _MEASURED)):
                _delete(item)
        mark.write_text(key, encoding="utf-8")

    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())

    def keep_finished(self) -> bool:
        """Leave only what another run can use; the whole folder goes where there is nothing."""
        if not self._is_ours:
            return False
        for unfinished in (self.bundle, self.temporary, *self.tensors.glob("*.partial")):
            shutil.rmtree(unfinished, ignore_errors=True)
        kept = any(f.is_file() for part in (self.tensors, self.folder / _MEASURED) for f in part.rglob("*"))
        if not kept:
            self.clear()
        return kept

    def clear(self) -> None:
        """Delete it, the lock last: from then on, what stands there is another export's."""
        for item in self.folder.glob("*"):
            if item.name != _LOCK:
                with contextlib.suppress(OSError):
                    _delete(item)
        self._is_ours = False
        with contextlib.suppress(OSError):
            (self.folder / _LOCK).unlink()
            self.folder.rmdir()

    def finish(self, output: Path) -> None:
        """The bundle, which is whole, takes its place at `output`, and the folder goes; Ctrl-C comes too late, then.

        First its bytes are on the disk: what it replaces goes, and so does what it could be made of again.
        """
        flush_folder(self.bundle)
        with StopOnInterrupt():
            _put_in_place(self.bundle, output)
            self.clear()


@contextlib.contextmanager
def work_folder(output: Path) -> Iterator[WorkFolder]:
    """The work folder of `output`, for one export at a time. First, a replacement that was killed is undone.

    After a failure, what is finished stays for the next run, and nothing else: no empty folder either that was made on
    the way to `output`. A full disk is a DiskError. Raises ExportError where another export holds the folder, or
    nothing can be written.
    """
    work = WorkFolder(output.parent / f".{output.name}.falconet-work")
    with _made_on_the_way(output), _locked(work.folder, output):
        try:
            _undo_replacement(output)
            yield work
        except OSError as error:
            if error.errno == errno.EMFILE:
                raise ExportError(
                    "The export has more files open at once than this system allows; allow it more, as with "
                    "`ulimit -n 4096`, and try again to go on."
                ) from None
            if error.errno not in _DISK_FULL:
                raise
            raise disk_full(output.parent) from None
        finally:
            work.keep_finished()


def disk_full(folder: Path) -> DiskError:
    """The sentence for a disk that fills up on the way."""
    return DiskError(f"The disk of {folder} is full; free some space and try again to go on.")


@contextlib.contextmanager
def _made_on_the_way(output: Path) -> Iterator[None]:
    """Folders above `output` that are made for it go again where nothing came into them."""
    made = [folder for folder in output.parents if not folder.exists()]  # the deepest first
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # not empty
            for folder in made:
                folder.rmdir()


@contextlib.contextmanager
def _locked(folder: Path, output: Path) -> Iterator[None]:
    taken = ExportError(f"Another export is writing {output}; wait for it.", option=" or name another --output")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = (folder / _LOCK).open("w")
        except FileNotFoundError:  # who held it has just cleared it
            raise taken from None
    except OSError as error:
        raise ExportError(
            f"{output.parent} cannot be written ({error.strerror}); allow writing there.",
            option=", or name another place with --output",
        ) from None
    with lock:
        if not try_lock(lock) or not _is_there(folder / _LOCK, lock):
            raise taken
        yield


def _delete(item: Path) -> None:
    shutil.rmtree(item) if item.is_dir() and not item.is_symlink() else item.unlink()


def _is_there(file: Path, opened: TextIO) -> bool:
    """Whether `file` is still the one that was `opened`: who held the lock may just have cleared the folder."""
    try:
        return os.path.samestat(os.fstat(opened.fileno()), file.stat())
    except FileNotFoundError:
        return False


def behind_link(output: Path) -> Path:
    """Where `output` leads to, so that a link stays one. Raises OptionError for one that leads nowhere, and for a path
    that coremltools cannot write to."""
    whole = os.path.realpath(output)
    try:
        whole.encode()
    except UnicodeEncodeError:
        raise OptionError(
            f"The path {whole} is no UTF-8, and coremltools cannot write there; go to another folder.",
            option=", or name another --output",
        ) from None
    if not output.is_symlink():
        return output
    place = Path(whole)
    if not place.exists() and not set_aside_path(place).exists():  # the latter after a kill: see `work_folder`
        raise OptionError(
            f"{output} is a link to {place}, which does not exist; remove it.", option=", or name another --output"
        )
    return place


def check_output(output: Path, package: str, *, force: bool) -> None:
    """Raises OptionError where something stands at `output` that may not be replaced: with `force`, bundles may."""
    if not output.exists():
        return
    is_bundle = (output / MANIFEST_NAME).exists() and (output / package).exists()
    if not is_bundle and not (output.is_dir() and all(item.name == ".DS_Store" for item in output.iterdir())):
        raise OptionError(
            f"{output} exists and is no bundle, so it is left as it is.", option="; name another --output"
        )
    if not force:
        raise OptionError(
            f"{output} exists; remove it.", option=", pass --force to replace it, or name another --output"
        )


def _put_in_place(bundle: Path, output: Path) -> None:
    """Rename into place; an old bundle is set aside first and removed last. Who is killed between is put right by
    `work_folder`, and Manifest.read says where the old bundle is."""
    if output.exists():
        output.rename(set_aside_path(output))
    try:
        bundle.rename(output)
    finally:
        _undo_replacement(output)


def _undo_replacement(output: Path) -> None:
    """Put back the bundle that was set aside, or remove it where another has its place."""
    old = set_aside_path(output)
    if output.exists():
        shutil.rmtree(old, ignore_errors=True)
    elif old.exists():
        old.rename(output)
