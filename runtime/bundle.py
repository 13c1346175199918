"""Bundle: an exported model on disk, opened and checked."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from runtime.arguments import check_callable, check_kind, checked_path
from runtime.bounded import read_bounded
from runtime.chat import RAW
from runtime.errors import BundleError, OptionError
from runtime.hashing import sha256_of
from runtime.manifest import MANIFEST_NAME, Manifest, Part
from runtime.paths import cache_folder


class Bundle:
    """A folder written by `python -m export`. Opening compares file sizes; hashes take `verify`."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        check_kind("manifest", manifest, Manifest, "a Manifest")
        self.folder = checked_path("folder", folder)
        self.manifest = manifest
        self._weights: npt.NDArray[np.uint8] | None = None

    @classmethod
    def open(cls, folder: str | Path, *, hashes: bool = True) -> Bundle:
        """Open `folder`. Files are hashed when this machine sees the bundle for the first time, else only measured.

        Without `hashes` they are only measured: for a list of bundles that are not run yet, since hashing takes a
        second for each gigabyte or so. Raises BundleError where a file is missing, cut short or changed, or the format
        is newer than this program.
        """
        path = checked_path("folder", folder)
        bundle = cls(path, Manifest.read(path))
        bundle._check_sizes()
        if not hashes:
            return bundle
        if not bundle._was_seen():
            bundle.verify()
            bundle.mark_seen()
        return bundle

    @property
    def has_chat_format(self) -> bool:
        """Whether the bundle knows how its model was taught to converse; else what is written to it is continued."""
        return self.manifest.chat_template != RAW

    def verify(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Hash every file; `progress` gets (bytes done, bytes in all). Raises BundleError, which names the file."""
        if progress is not None:
            check_callable("progress", progress)
        total = sum(entry.bytes for entry in self.manifest.files.values())
        done = 0
        for name, entry in self.manifest.files.items():

            def advance(read: int, before: int = done) -> None:
                if progress:
                    progress(before + read, total)

            if sha256_of(self._path(name), advance) != entry.sha256:
                raise BundleError(f"{self._path(name)} is damaged: its hash differs; export or copy the bundle again.")
            done += entry.bytes

    def mark_seen(self) -> None:
        """Remember on this machine that these bytes were verified, so that later loads are fast."""
        try:
            mark = self._seen_mark()
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.write_text(json.dumps({"folder": str(self.folder.resolve())}), encoding="utf-8")
        except (OSError, OptionError):
            return  # a read-only home, or none, costs a hash at each load, nothing else

    @property
    def hash(self) -> str:
        """SHA-256 of the manifest, which holds the hashes of all else: the bundle's identity."""
        return hashlib.sha256(read_bounded(self.folder / MANIFEST_NAME)).hexdigest()

    @property
    def program_path(self) -> Path:
        """The Core ML package."""
        return self.folder / self.manifest.programs[0].path

    def array(self, part: Part) -> npt.NDArray[np.uint8]:
        """The bytes of one part of a weight, mapped from the weight file."""
        check_kind("part", part, Part, "a Part")
        if self._weights is None:
            self._weights = np.memmap(self._path(self.manifest.weight_file), dtype=np.uint8, mode="r")
        if part.offset < 0 or part.offset + part.bytes > len(self._weights):
            raise BundleError(f"{self.folder}: a weight lies outside the weight file; export the bundle again.")
        return self._weights[part.offset : part.offset + part.bytes]

    def _path(self, name: str) -> Path:
        return self.folder / name

    def _check_sizes(self) -> None:
        for name, entry in self.manifest.files.items():
            path = self._path(name)
            if not path.is_file():
                raise BundleError(f"{path} is missing; export or copy the bundle again.")
            size = path.stat().st_size
            if size != entry.bytes:
                raise BundleError(
                    f"{path} is damaged: it has {size:,} bytes where {entry.bytes:,} were written; "
                    "export or copy the bundle again."
                )

    def _was_seen(self) -> bool:
        try:
            return self._seen_mark().exists()
        except (OSError, OptionError):  # another's cache, or none
            return False

    def _seen_mark(self) -> Path:
        # Tied to place and change time as well: a copy, or an edited file, is hashed anew.
        stamp = [str(self.folder.resolve()), self.hash]
        stamp += [str(self._path(name).stat().st_mtime_ns) for name in self.manifest.files]
        return cache_folder() / "verified" / hashlib.sha256(os.fsencode("\n".join(stamp))).hexdigest()
