"""What the page is about, as plain data: the manifest with sizes by tensor instead of offsets."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from runtime.bundle import Bundle


def gather(folder: Path) -> dict[str, Any]:
    """The bundle as data fit for JSON. Raises BundleError for what is no bundle.

    A tensor's `bytes` are those that it alone adds to the weight file: of arrays that tensors share, the first counts.
    """
    bundle = Bundle.open(folder)
    manifest = bundle.manifest
    seen: set[tuple[int, int]] = set()
    weights: dict[str, dict[str, Any]] = {}
    for name, weight in manifest.weights.items():
        own = {(part.offset, part.bytes) for part in weight.parts.values()} - seen
        seen |= own
        weights[name] = {
            "format": weight.format,
            "shape": list(weight.shape),
            "bytes": sum(size for _, size in own),
            "stored": sum(part.bytes for part in weight.parts.values()),
        }
    return {
        "name": manifest.name,
        "sha256": bundle.hash,
        "format_version": manifest.format_version,
        "source": asdict(manifest.source),
        "recipe": dict(manifest.recipe),
        "context_length": manifest.context_length,
        "vocab_size": manifest.vocab_size,
        "chat_template": manifest.chat_template,
        "programs": [asdict(program) for program in manifest.programs],
        "weight_file": manifest.weight_file,
        "weights": weights,
        "files": {name: asdict(entry) for name, entry in manifest.files.items()},
        "tools": dict(manifest.tools),
        "parity": dict(manifest.parity),
    }
