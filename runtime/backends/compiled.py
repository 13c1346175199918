"""CompiledProgram: what Core ML makes of a bundle's package before it can load it, kept on the disk."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from runtime.backends.macos import macos_build
from runtime.bundle import Bundle
from runtime.errors import BackendUnavailableError
from runtime.paths import cache_folder
from runtime.sizes import data_size
from runtime.whole import write_whole

FOLDER = ".compiled"  # in the bundle: it goes where the bundle goes, into the trash as well
_SUFFIX = ".mlmodelc"  # without which Core ML takes no folder for a compiled program


class CompiledProgram:
    """The compiled program of one bundle on one system.

    Core ML also prepares a program for its device when it is first loaded, and remembers that by the place that it was
    loaded from. So it is compiled once and always loaded from here.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        name = f"{bundle.hash[:16]}-{macos_build() or 'unknown'}{_SUFFIX}"
        inside = bundle.folder / FOLDER
        try:
            inside.mkdir(exist_ok=True)
            tempfile.TemporaryFile(dir=inside).close()  # a folder can be there and not be ours
            self.path = inside / name
        except OSError:
            self.path = cache_folder() / "compiled" / name

    @property
    def is_whole(self) -> bool:
        """Whether it is there, with all of its files: a copy of a bundle may have been cut short."""
        try:
            return bool(json.loads(self._record.read_text(encoding="utf-8")) == _sizes(self.path))
        except (OSError, ValueError, RecursionError):
            return False

    def make(self, compile_package: Callable[[str], str]) -> None:
        """Have `compile_package` compile the package into a folder whose name it returns, and take that. What was made
        of this bundle on other systems, or of another bundle in this one's place, goes.

        Raises BackendUnavailableError where the disk does not take it.
        """
        compiled = Path(compile_package(str(self._bundle.program_path)))
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if not self.is_whole:
                shutil.rmtree(self.path, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=self.path.parent, prefix=".") as partial:
                moved = Path(shutil.move(compiled, Path(partial) / "program"))
                write_whole(self._record, [json.dumps(_sizes(moved)).encode()])
                with contextlib.suppress(OSError):  # another process was faster: what it made is as good
                    moved.rename(self.path)
            if not self.path.exists():
                raise FileNotFoundError(f"{self.path} was removed")
        except OSError as error:
            size = sum(file.bytes for file in self._bundle.manifest.files.values())
            raise BackendUnavailableError(
                f"The compiled program of {self._bundle.manifest.name}, about {data_size(size)}, cannot be "
                f"kept in {self.path.parent} ({error.strerror or error}); free some space.",
                option=", or choose --backend torch",
            ) from None
        finally:
            shutil.rmtree(compiled, ignore_errors=True)
        self._remove_others()

    @property
    def _record(self) -> Path:
        return self.path.with_suffix(".json")

    def _remove_others(self) -> None:
        alone = self.path.parent.name == FOLDER  # else other bundles' are there, too
        for other in self.path.parent.glob("*" if alone else f"{self._bundle.hash[:16]}-*"):
            if other.suffix == _SUFFIX and other != self.path:
                shutil.rmtree(other, ignore_errors=True)
                other.with_suffix(".json").unlink(missing_ok=True)


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes of each file in `folder`, but for hidden ones, which the system adds and takes away."""
    files = (file for file in sorted(folder.rglob("[!.]*")) if file.is_file())
    return {file.relative_to(folder).as_posix(): file.stat().st_size for file in files}
