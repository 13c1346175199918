"""Save a Core ML package so that the same program always gives the same bytes."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

from runtime.quiet import quiet

with quiet():
    from coremltools.proto import Model_pb2

TARGET = "macOS15"
SPEC = Path("Data/com.apple.CoreML/model.mlmodel")
WEIGHTS = Path("Data/com.apple.CoreML/weights/weight.bin")
# What flexible shapes alone do not say: Xcode shows it, and our interpreter quotes it to who feeds others.
_DESCRIPTIONS = {
    "inputIds": "[1, q], token ids",
    "causalMask": "[1, 1, q, end], 0 where a query may look and -inf where not, "
    "the q tokens standing at positions end - q to end - 1",
}
_NAMESPACE = uuid.UUID("6f0d2c1e-3a55-5d8e-9b5f-6a1f0f0c7a11")


def save_package(mlmodel: Any, path: Path, *, name: str, hub_name: str) -> None:
    """Write the package at `path`, with the metadata by which swift-transformers finds tokenizer and configuration."""
    mlmodel.short_description = f"{name}: stateful Falcon for text generation, exported by Falconet"
    mlmodel.license = "The weights keep the license of their source."
    mlmodel.user_defined_metadata.update(
        {
            "co.huggingface.exporters.name": hub_name,
            "co.huggingface.exporters.task": "text-generation",
            "co.huggingface.exporters.architecture": "FalconForCausalLM",
            "co.huggingface.exporters.framework": "pytorch",
            "co.huggingface.exporters.precision": "float16",
        }
    )
    for feature, description in _DESCRIPTIONS.items():
        mlmodel.input_description[feature] = description
    mlmodel.output_description["logits"] = "[1, 1, vocabulary], scores of the token after the last of the q"
    with quiet():
        mlmodel.save(str(path))
    _fix_map_order(path / SPEC)
    _fix_identifiers(path / "Manifest.json")
    for item in path.rglob("*"):
        item.chmod(0o755 if item.is_dir() else 0o644)


def _fix_map_order(spec: Path) -> None:
    """Protobuf writes maps in the order of the process's hash seed unless told otherwise."""
    model = Model_pb2.Model()
    model.ParseFromString(spec.read_bytes())
    spec.write_bytes(model.SerializeToString(deterministic=True))


def _fix_identifiers(manifest: Path) -> None:
    """The package's items have random identifiers; here they follow from the items' paths."""
    raw = json.loads(manifest.read_text(encoding="utf-8"))
    renamed = {old: str(uuid.uuid5(_NAMESPACE, item["path"])) for old, item in raw["itemInfoEntries"].items()}
    raw["itemInfoEntries"] = {renamed[old]: item for old, item in raw["itemInfoEntries"].items()}
    raw["rootModelIdentifier"] = renamed[raw["rootModelIdentifier"]]
    manifest.write_text(json.dumps(raw, indent=4, sort_keys=True) + "\n", encoding="utf-8")
