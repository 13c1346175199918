"""Manifest: what a bundle says about itself. The format is described in docs/bundle-format.md."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from runtime.errors import BundleError

FORMAT_VERSION = 1
MANIFEST_NAME = "manifest.json"

# Bits an element of each storage type takes in weight.bin.
BITS = {"uint4": 4, "int4": 4, "uint6": 6, "uint8": 8, "int8": 8, "fp16": 16}
ALIGNMENT = 64  # bytes; every part begins on a multiple

_PARTS = {
    "fp16": {"values"},
    **{name: {"indices", "codebook"} for name in ("lut4", "lut6", "lut8")},
    **{name: {"values", "scale"} for name in ("int4", "int8")},
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
            raw = json.loads((folder / MANIFEST_NAME).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise BundleError(
                f"{folder} is not a bundle: it has no {MANIFEST_NAME}. Run `python -m export` first."
            ) from None
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise BundleError(f"{folder / MANIFEST_NAME} is damaged; export the bundle again.") from None
        version = raw.get("format_version") if isinstance(raw, dict) else None
        if not isinstance(version, int):
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
            if _leads_outside(name):
                raise BundleError(f"{folder}: the manifest names a file outside the bundle ({name}); do not use it.")
        return manifest

    def paths(self) -> list[str]:
        """Every path that the manifest names, relative to the bundle."""
        return [*self.files, self.weight_file, *(path for p in self.programs for path in (p.path, *p.files))]


def _leads_outside(name: str) -> bool:
    """Whether a path is absolute or climbs, by the rules of either kind of system."""
    return any(bool(path.anchor) or ".." in path.parts for path in (PurePosixPath(name), PureWindowsPath(name)))


def _from_json(raw: dict[str, Any]) -> Manifest:
    manifest = Manifest(
        format_version=raw["format_version"],
        name=str(raw["name"]),
        source=Source(**raw["source"]),
        recipe=dict(raw["recipe"]),
        context_length=int(raw["context_length"]),
        vocab_size=int(raw["vocab_size"]),
        chat_template=str(raw["chat_template"]),
        weight_file=str(raw["weight_file"]),
        programs=tuple(
            ProgramEntry(path=p["path"], target=p["target"], functions=tuple(p["functions"]), files=tuple(p["files"]))
            for p in raw["programs"]
        ),
        files={name: FileEntry(**entry) for name, entry in raw["files"].items()},
        weights={name: _weight(entry) for name, entry in raw["weights"].items()},
        tools=dict(raw["tools"]),
        parity=dict(raw["parity"]),
    )
    if not manifest.programs:
        raise ValueError("it names no program")
    if manifest.weight_file not in manifest.files:
        raise ValueError(f"{manifest.weight_file} is not among its files")
    return manifest


def _weight(raw: dict[str, Any]) -> WeightEntry:
    parts = {
        name: Part(offset=p["offset"], bytes=p["bytes"], dtype=p["dtype"], shape=tuple(p["shape"]))
        for name, p in raw["parts"].items()
    }
    if set(parts) != _PARTS[raw["format"]]:
        raise ValueError(f"a weight of format {raw['format']} has the parts {', '.join(parts)}")
    for name, part in parts.items():
        if part.dtype not in BITS:
            raise ValueError(f"part {name} has unknown type {part.dtype}")
        if part.offset < 0 or part.offset % ALIGNMENT or part.bytes * 8 != math.prod(part.shape) * BITS[part.dtype]:
            raise ValueError(f"part {name} of {part.bytes} bytes at {part.offset} does not fit its shape")
    return WeightEntry(format=raw["format"], shape=tuple(raw["shape"]), parts=parts)
