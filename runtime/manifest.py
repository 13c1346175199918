"""Manifest: what a bundle says about itself. The format is described in docs/bundle-format.md."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from runtime.bounded import read_bounded
from runtime.errors import BundleError
from runtime.paths import leads_outside

T = TypeVar("T")

FORMAT_VERSION = 1
MANIFEST_NAME = "manifest.json"

# Bits an element of each storage type takes in weight.bin.
BITS = {"uint4": 4, "int4": 4, "uint6": 6, "uint8": 8, "int8": 8, "fp16": 16}
ALIGNMENT = 64  # bytes; every part begins on a multiple

# The storage type of each part, by the weight's format; the first part has an element for each of the weight's.
_PARTS = {
    "fp16": {"values": "fp16"},
    **{f"lut{bits}": {"indices": f"uint{bits}", "codebook": "fp16"} for bits in (4, 6, 8)},
    **{f"int{bits}": {"values": f"int{bits}", "scale": "fp16"} for bits in (4, 8)},
}


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """One file of the bundle: size in bytes and SHA-256 in hexadecimal."""

    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Part:
    """One array inside the weight file: `offset` and `bytes` of its data, row-major, low bits first."""

    offset: int
    bytes: int
    dtype: str  # a key of BITS
    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class WeightEntry:
    """One tensor of the checkpoint as it is stored.

    `format` is `fp16` (part `values`), `lut4`/`lut6`/`lut8` (parts `indices` [O, I], `codebook` [O/group, N]) or
    `int4`/`int8` (parts `values` [O, I], `scale` [O, I/block]).
    """

    format: str
    shape: tuple[int, ...]
    parts: Mapping[str, Part]


@dataclass(frozen=True, kw_only=True)
class ProgramEntry:
    """One Core ML program: `path` of its package, the system it needs, its functions and its files."""

    path: str
    target: str  # "macOS15"
    functions: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the weights came from: a name, and a SHA-256 over config and weight files."""

    name: str
    sha256: str
    revision: str | None = None


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Everything that a reader of the bundle needs before it opens another file."""

    name: str
    source: Source
    recipe: Mapping[str, Any]
    context_length: int  # tokens
    vocab_size: int
    chat_template: str
    weight_file: str
    programs: tuple[ProgramEntry, ...]
    files: Mapping[str, FileEntry]
    weights: Mapping[str, WeightEntry]
    tools: Mapping[str, str]
    parity: Mapping[str, Any] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    def write(self, folder: Path) -> None:
        """Write manifest.json into `folder`."""
        text = json.dumps(asdict(self), indent=1, sort_keys=True, ensure_ascii=False)
        (folder / MANIFEST_NAME).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: str | Path) -> Manifest:
        """Read `folder`'s manifest. Raises BundleError for no bundle, a newer format, or a damaged file."""
        folder = Path(folder)
        try:
            raw = json.loads(read_bounded(folder / MANIFEST_NAME).decode("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            if (old := set_aside_path(folder)).exists():
                raise BundleError(
                    f"{folder} is gone because an export was killed while it replaced it; the old bundle is in {old}: "
                    "rename it back, or run the same export again."
                ) from None
            fault = f"is not a bundle: it has no {MANIFEST_NAME}" if folder.exists() else "does not exist"
            raise BundleError(f"{folder} {fault}. Run `python -m export` first.") from None
        except (ValueError, RecursionError):
            raise BundleError(f"{folder / MANIFEST_NAME} is damaged; export the bundle again.") from None
        except OSError as error:
            raise BundleError(f"{folder / MANIFEST_NAME} cannot be read ({error.strerror}); check the path.") from None
        version = raw.get("format_version") if isinstance(raw, dict) else None
        if type(version) is not int:  # True is an int, too
            raise BundleError(
                f"{folder / MANIFEST_NAME} is damaged: it has no format_version; export the bundle again."
            )
        if version > FORMAT_VERSION:
            raise BundleError(
                f"{folder} has bundle format {version} and this Falconet reads up to {FORMAT_VERSION}; update Falconet."
            )
        try:
            manifest = _from_json(raw)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BundleError(
                f"{folder / MANIFEST_NAME} is damaged ({type(error).__name__}: {error}); export the bundle again."
            ) from None
        for name in manifest.paths():
            if leads_outside(name):
                raise BundleError(f"{folder}: the manifest names a file outside the bundle ({name}); do not use it.")
        return manifest

    def paths(self) -> list[str]:
        """Every path that the manifest names, relative to the bundle."""
        return [*self.files, self.weight_file, *(path for p in self.programs for path in (p.path, *p.files))]


def set_aside_path(folder: Path) -> Path:
    """Where an old bundle lies for the moment in which a new one takes its place: beside what a link leads to."""
    folder = Path(os.path.realpath(folder)) if folder.is_symlink() else folder
    return folder.parent / f".{folder.name}.falconet-old"


def _from_json(raw: dict[str, Any]) -> Manifest:
    """Keys that are not known are left out: a later program may write more."""
    source = _typed(raw["source"], dict)
    revision = source.get("revision")
    manifest = Manifest(
        format_version=raw["format_version"],
        name=_typed(raw["name"], str),
        source=Source(
            name=_typed(source["name"], str),
            sha256=_typed(source["sha256"], str),
            revision=None if revision is None else _typed(revision, str),
        ),
        recipe=_typed(raw["recipe"], dict),
        context_length=_typed(raw["context_length"], int),
        vocab_size=_typed(raw["vocab_size"], int),
        chat_template=_typed(raw["chat_template"], str),
        weight_file=_typed(raw["weight_file"], str),
        programs=tuple(_program(_typed(entry, dict)) for entry in _typed(raw["programs"], list)),
        files={name: _file(_typed(entry, dict)) for name, entry in _typed(raw["files"], dict).items()},
        weights={name: _weight(_typed(entry, dict)) for name, entry in _typed(raw["weights"], dict).items()},
        tools=_typed(raw["tools"], dict),
        parity=_typed(raw["parity"], dict),
    )
    if not manifest.programs:
        raise ValueError("it names no program")
    if manifest.context_length < 1 or manifest.vocab_size < 1:
        raise ValueError(f"a context of {manifest.context_length} and a vocabulary of {manifest.vocab_size} tokens")
    if manifest.weight_file not in manifest.files:
        raise ValueError(f"{manifest.weight_file} is not among its files")
    return manifest


def _typed(value: Any, kind: type[T]) -> T:
    if type(value) is not kind:
        raise TypeError(f"{value!r:.40} stands where JSON's {kind.__name__} belongs")
    return value


def _all_typed(values: Any, kind: type[T]) -> tuple[T, ...]:
    return tuple(_typed(value, kind) for value in _typed(values, list))


def _program(raw: dict[str, Any]) -> ProgramEntry:
    return ProgramEntry(
        path=_typed(raw["path"], str),
        target=_typed(raw["target"], str),
        functions=_all_typed(raw["functions"], str),
        files=_all_typed(raw["files"], str),
    )


def _file(raw: dict[str, Any]) -> FileEntry:
    return FileEntry(bytes=_typed(raw["bytes"], int), sha256=_typed(raw["sha256"], str))


def _part(raw: dict[str, Any]) -> Part:
    return Part(
        offset=_typed(raw["offset"], int),
        bytes=_typed(raw["bytes"], int),
        dtype=_typed(raw["dtype"], str),
        shape=_all_typed(raw["shape"], int),
    )


def _weight(raw: dict[str, Any]) -> WeightEntry:
    kind, shape = _typed(raw["format"], str), _all_typed(raw["shape"], int)
    parts = {name: _part(_typed(part, dict)) for name, part in _typed(raw["parts"], dict).items()}
    types = {name: part.dtype for name, part in parts.items()}
    if types != _PARTS[kind]:
        raise ValueError(f"a weight of format {kind} has the parts {types}")
    for name, part in parts.items():
        if part.offset < 0 or part.offset % ALIGNMENT or part.bytes * 8 != math.prod(part.shape) * BITS[part.dtype]:
            raise ValueError(f"part {name} of {part.bytes} bytes at {part.offset} does not fit its shape")
        if not _fits(name, part.shape, shape, kind):
            raise ValueError(f"part {name} of shape {list(part.shape)} does not fit a {kind} weight of {list(shape)}")
    return WeightEntry(format=kind, shape=shape, parts=parts)


def _fits(part: str, sizes: tuple[int, ...], shape: tuple[int, ...], kind: str) -> bool:
    """Whether a part of `sizes` belongs to a weight of `shape`: see WeightEntry."""
    if not sizes or min(sizes) < 1:
        return False
    if part in ("values", "indices"):
        return sizes == shape and (kind == "fp16" or len(shape) == 2)
    if len(sizes) != 2:
        return False
    if part == "codebook":
        return shape[0] % sizes[0] == 0 and sizes[1] == 1 << BITS[_PARTS[kind]["indices"]]
    return sizes[0] == shape[0] and shape[1] % sizes[1] == 0
