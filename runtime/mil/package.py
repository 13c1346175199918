"""An .mlpackage on disk: its manifest, its program, its weight files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.mil.blob import BlobFile
from runtime.mil.errors import PackageError, WeightFileError
from runtime.mil.features import Feature, Range
from runtime.mil.graph import Constant, Function
from runtime.mil.proto import message_types, read_functions
from runtime.paths import leads_outside

_ARRAY_TYPES = {"FLOAT16": "fp16", "FLOAT32": "fp32", "DOUBLE": "fp64", "INT32": "int32", "INT8": "int8"}


@dataclass(frozen=True)
class Interface:
    """What one function takes, gives and keeps."""

    inputs: tuple[Feature, ...]
    outputs: tuple[Feature, ...]
    states: tuple[Feature, ...]


@dataclass(frozen=True)
class Package:
    """A package whose program has been read and whose weight files are mapped."""

    path: Path
    functions: Mapping[str, Function]
    interfaces: Mapping[str, Interface]
    default_function: str
    metadata: Mapping[str, str]
    blob_files: Mapping[str, BlobFile]

    @classmethod
    def open(cls, path: Path | str) -> Package:
        """Read the program and check that every weight it refers to is there; raises a UserFacingError."""
        path = Path(path)
        model_path = _model_path(path)
        model = _read_model(model_path)
        functions = read_functions(model.mlProgram)
        interfaces = _interfaces(model.description)
        return cls(
            path=path,
            functions=functions,
            interfaces=interfaces,
            default_function=model.description.defaultFunctionName or "main",
            metadata=dict(model.description.metadata.userDefined),
            blob_files=_open_blob_files(model_path.parent, functions),
        )


def _model_path(package: Path) -> Path:
    """The .mlmodel file that the manifest names as the root."""
    manifest_path = package / "Manifest.json"
    if not manifest_path.is_file():
        raise PackageError(f"{package} is not a Core ML package: it has no Manifest.json. Name an .mlpackage folder.")
    try:
        manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
        entry = manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"]
        model_path = package / "Data" / _inside(package, str(entry))
    except (ValueError, RecursionError, KeyError, TypeError):
        raise PackageError(f"{manifest_path} is damaged. Export or download the package again.") from None
    if not model_path.is_file():
        raise PackageError(f"{package} is incomplete: {model_path} is missing. Export or download the package again.")
    return model_path


def _inside(folder: Path, name: str) -> str:
    """`name`, which a file of the package gives; what runs must be what was packed."""
    if leads_outside(name):
        raise PackageError(f"{folder} names a file outside the package ({name}); do not use it.")
    return name


def _read_model(path: Path) -> Any:
    model_pb2, _ = message_types()
    model = model_pb2.Model()
    try:
        model.ParseFromString(path.read_bytes())
    except OSError as error:
        raise PackageError(f"Cannot read {path} ({error.strerror or error}).") from None
    except Exception as error:  # protobuf's DecodeError; its module differs between versions
        if type(error).__name__ != "DecodeError":
            raise
        raise PackageError(f"{path} is damaged. Export or download the package again.") from None
    if model.WhichOneof("Type") != "mlProgram" or not model.mlProgram.functions:
        raise PackageError(f"{path} holds no ML program, the only kind of Core ML model that can be run here.")
    return model


def _interfaces(description: Any) -> dict[str, Interface]:
    """Interfaces by function name; a program with one function describes it at the top."""
    described = {item.name: item for item in description.functions} or {"main": description}
    return {
        name: Interface(
            inputs=tuple(_feature(feature) for feature in item.input),
            outputs=tuple(_feature(feature) for feature in item.output),
            states=tuple(_feature(feature) for feature in item.state),
        )
        for name, item in described.items()
    }


def _feature(message: Any) -> Feature:
    kind = message.type.WhichOneof("Type")
    if kind == "stateType":
        array = message.type.stateType.arrayType
    elif kind == "multiArrayType":
        array = message.type.multiArrayType
    else:
        raise PackageError(f"{message.name} is of kind {kind}; only programs of arrays can be run here.")
    name = array.ArrayDataType.Name(array.dataType)
    return Feature(
        name=message.name,
        dtype=_ARRAY_TYPES.get(name, name.lower()),
        shape=tuple(array.shape),
        ranges=tuple(_range(item) for item in array.shapeRange.sizeRanges),
        choices=tuple(tuple(item.shape) for item in array.enumeratedShapes.shapes),
        description=message.shortDescription,
    )


def _range(message: Any) -> Range:
    return int(message.lowerBound), None if message.upperBound < 0 else int(message.upperBound)


def _open_blob_files(folder: Path, functions: Mapping[str, Function]) -> dict[str, BlobFile]:
    """Map each weight file once and hold every reference to it against its records."""
    files: dict[str, BlobFile] = {}
    for constant in _stored_constants(functions):
        name = str(constant.file_name)
        if name not in files:
            files[name] = BlobFile.open(folder / _inside(folder, name.removeprefix("@model_path/")))
        file = files[name]
        blob = file.blob(int(constant.offset or 0))
        count = 1
        for length in constant.shape:
            count *= length
        if blob.dtype != constant.dtype or blob.count != count:
            raise WeightFileError(
                f"{file.path} does not belong to its program: at byte {blob.offset} it has {blob.count} {blob.dtype} "
                f"where the program has {count} {constant.dtype}. Export or download the package again."
            )
    return files


def _stored_constants(functions: Mapping[str, Function]) -> list[Constant]:
    return [
        binding
        for function in functions.values()
        for op in function.block.walk()
        for bindings in op.inputs.values()
        for binding in bindings
        if isinstance(binding, Constant) and binding.is_stored
    ]
