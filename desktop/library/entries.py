"""ModelEntry: a bundle on this machine as a list shows it, and the look at a folder that makes one."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QCoreApplication

from desktop.engine import EMBEDDED, EmbeddedModel, LocalModel
from desktop.library.sizes import memory_size
from desktop.told import told
from runtime import (
    Bundle,
    Memory,
    UserFacingError,
    check_exporter,
    embedded_folder,
    install_command,
    memory_needs,
)

translate = QCoreApplication.translate  # a name that pyside6-lupdate knows

Fits = Literal["yes", "tight", "no", "unknown"]
"""`tight`: within the machine's memory, yet not beside what else runs now."""

_TIGHT_SHARE = 0.7  # of the machine's memory: the rest is the system's and other programs'
_MANIFEST, _PACKAGE = "manifest.json", "model.mlpackage"
_OWN_FILES = {
    *(_MANIFEST, "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "README.md"),
    *(".DS_Store", "desktop.ini", "Thumbs.db"),  # which file managers leave
}
_OWN_FOLDERS = {_PACKAGE, ".compiled", ".cache"}  # the last is a download's from the Hugging Face Hub


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """One model. Sizes in bytes, None where not known; `damaged` says what is wrong with one that cannot be loaded."""

    source: LocalModel | EmbeddedModel
    path: Path
    format: str = ""  # of the weights, such as lut4; `mixed` where they differ
    bytes: int | None = None  # on disk
    context_length: int | None = None  # tokens
    has_chat_format: bool = True  # else it continues what is written, unless the user chooses one
    memory: int | None = None  # estimated from above, for one conversation of full length
    fits: Fits = "unknown"
    sentence: str = ""  # says why it fits or does not
    last_used: float | None = None  # seconds since 1970
    damaged: str | None = None
    removable: bool = False  # nothing but the model goes with its folder

    @property
    def key(self) -> str:
        """What settings and chats keep of it."""
        return self.source.key

    @property
    def name(self) -> str:
        """For people."""
        return self.source.name

    @property
    def is_embedded(self) -> bool:
        """Whether it comes with the program: it cannot be lost, only made again."""
        return isinstance(self.source, EmbeddedModel)


def find_bundles(folders: Sequence[Path]) -> list[Path]:
    """Folders of bundles, whole or damaged: `folders` themselves and what lies directly in them, in order, each once.
    What cannot be read is left out; hidden folders are exports under way. One of `folders` that has other folders in it
    is a place for models: it is listed only where it is a whole bundle, too."""
    found: dict[Path, None] = {}
    for folder in folders:
        try:
            inside = sorted(item for item in folder.iterdir() if item.is_dir() and not item.name.startswith("."))
        except OSError:
            continue
        is_place = any(item.name not in _OWN_FOLDERS for item in inside)
        if looks_like_bundle(folder) and (not is_place or _is_whole(folder)):
            found[folder.absolute()] = None
        found.update({item.absolute(): None for item in inside if looks_like_bundle(item)})
    return list(found)


def looks_like_bundle(folder: Path) -> bool:
    """Whether a folder was written by the exporter, by its names alone."""
    if folder.suffix == ".mlpackage":  # holds a Manifest.json, and some disks do not tell that from a manifest.json
        return False
    try:
        return (folder / _MANIFEST).is_file() or (folder / _PACKAGE).is_dir()
    except OSError:
        return False


def is_removable(folder: Path) -> bool:
    """Whether a bundle's folder may go as it is: there is a package in it, and nothing beside it but what bundles have.
    Raises OSError where it cannot be read."""
    return _is_bundle_alone(folder, _files_of(folder))


def look_at(folder: Path, memory: Memory, last_used: float | None = None) -> ModelEntry:
    """A bundle as it is now. Sizes of files are compared; hashes are left to the first load."""
    source = LocalModel(path=folder, name=folder.name)
    try:
        bundle = Bundle.open(folder, hashes=False)
        manifest = bundle.manifest
        needs = memory_needs(manifest).total
    except UserFacingError as error:
        return ModelEntry(
            source=source, path=folder, last_used=last_used, damaged=told(error), removable=_can_go(folder, ())
        )
    except OSError as error:
        why = translate("ModelEntry", "{folder} cannot be read ({reason}).").format(
            folder=folder, reason=error.strerror
        )
        return ModelEntry(source=source, path=folder, last_used=last_used, damaged=why)
    fits, sentence = judge(needs, memory)
    linear = str(manifest.recipe.get("linear", ""))
    return ModelEntry(
        source=source,
        path=folder,
        format="mixed" if manifest.recipe.get("formats") else linear,
        bytes=sum(entry.bytes for entry in manifest.files.values()),
        context_length=manifest.context_length,
        has_chat_format=bundle.has_chat_format,
        memory=needs,
        fits=fits,
        sentence=sentence,
        last_used=last_used,
        removable=_can_go(folder, manifest.files),
    )


def look_at_embedded(memory: Memory, last_used: float | None = None) -> ModelEntry | None:
    """The model that comes with the program, whose bundle is made when it is first loaded; None where it cannot be."""
    folder = embedded_folder()
    if looks_like_bundle(folder):
        found = look_at(folder, memory, last_used)
        if found.damaged is None:
            return replace(found, source=EMBEDDED, removable=False)
    if why_no_export() is not None:
        return None
    sentence = translate("ModelEntry", "Comes with the program; prepared once, when it is first used.")
    return ModelEntry(source=EMBEDDED, path=folder, fits="yes", sentence=sentence, last_used=last_used)


def has_embedded() -> bool:
    """Whether the model that comes with the program can be loaded: its bundle is here, or can be made."""
    return why_no_export() is None or looks_like_bundle(embedded_folder())


def why_no_export() -> str | None:
    """Why no bundle can be made on this computer, and what to do; None where one can."""
    try:
        check_exporter()
    except UserFacingError:
        if sys.platform == "win32":
            return translate(
                "ModelEntry",
                "Models cannot be exported on Windows: export one on a Mac or on Linux, copy the bundle to this "
                "computer, and add its folder in Models, under Folders.",
            )
        return no_exporter()
    return None


def no_exporter() -> str:
    """What to do where the exporter is not installed."""
    return translate("ExportForm", "The exporter is not installed here: run `{command}` and start again.").format(
        command=install_command("export")
    )


def judge(needs: int, memory: Memory) -> tuple[Fits, str]:
    """Whether a model that needs so many bytes fits a machine, and a sentence that says so."""
    size = memory_size
    if memory.total is None:
        return "unknown", translate("ModelEntry", "Needs about {needs}; this machine does not tell its memory.").format(
            needs=size(needs)
        )
    amounts = {"needs": size(needs), "total": size(memory.total)}
    if needs > memory.total:
        return "no", translate(
            "ModelEntry", "Needs about {needs} and this machine has {total}: choose a smaller one."
        ).format(**amounts)
    if memory.available is not None and needs > memory.available:
        free = size(memory.available)
        text = translate(
            "ModelEntry", "Needs about {needs} of {total}, and {free} are free now: close other programs first."
        )
        return "tight", text.format(**amounts, free=free)
    if needs > _TIGHT_SHARE * memory.total:
        return "tight", translate(
            "ModelEntry", "Needs about {needs} of {total}: little is left for other programs."
        ).format(**amounts)
    return "yes", translate("ModelEntry", "Needs about {needs} of {total}.").format(**amounts)


def _is_whole(folder: Path) -> bool:
    return bool(_files_of(folder))


def _files_of(folder: Path) -> tuple[str, ...]:
    """Names of the files of a whole bundle; none of what is damaged."""
    try:
        return tuple(Bundle.open(folder, hashes=False).manifest.files)
    except (UserFacingError, OSError):
        return ()


def _is_bundle_alone(folder: Path, files: Iterable[str]) -> bool:
    """`files`: those that its manifest names."""
    own = _OWN_FILES | _OWN_FOLDERS | {name.partition("/")[0] for name in files}
    beside = (item.name for item in folder.iterdir() if not item.name.startswith("._"))  # a Mac's, on foreign disks
    return (folder / _PACKAGE).is_dir() and all(name in own for name in beside)


def _can_go(folder: Path, files: Iterable[str]) -> bool:
    try:
        return _is_bundle_alone(folder, files)
    except OSError:
        return False
