"""Write a bundle's small files and its manifest. The format is described in docs/bundle-format.md."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from export.package import SPEC, TARGET, WEIGHTS
from export.progress import Progress, advance_from
from export.recipes import Recipe
from export.sources import ResolvedSource
from models.config import FalconConfig
from models.errors import CheckpointError
from runtime.hashing import sha256_of
from runtime.manifest import MANIFEST_NAME, FileEntry, Manifest, ProgramEntry, Source, WeightEntry

PACKAGE = "model.mlpackage"
_PADDING = 1024  # rows by which a vocabulary may exceed its tokenizer: RW's is padded by 47


def read_tokenizer(source: Path, config: FalconConfig) -> Tokenizer:
    """The tokenizer in `source`. Raises CheckpointError where it is missing, damaged or another model's."""
    file = source / "tokenizer.json"
    if not file.exists():
        raise CheckpointError(f"{source} has no tokenizer.json; fetch it from where the weights came from.")
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # noqa: BLE001  the library raises bare Exception for a file it cannot read
        raise CheckpointError(f"{file} is damaged ({error}); fetch the file again.") from None
    own = source / "tokenizer_config.json"
    try:
        readable = not own.exists() or isinstance(json.loads(own.read_text(encoding="utf-8")), dict)
    except (ValueError, RecursionError):
        readable = False
    if not readable:
        raise CheckpointError(f"{own} is damaged; fetch the file again.")
    size = tokenizer.get_vocab_size(with_added_tokens=True)
    if not config.vocab_size - _PADDING < size <= config.vocab_size:
        raise CheckpointError(
            f"{file} has {size:,} tokens and config.json {config.vocab_size:,}: "
            "the tokenizer is another model's; fetch both from one place."
        )
    return tokenizer


def copy_tokenizer(source: Path, target: Path) -> None:
    """Copy the tokenizer's files."""
    shutil.copyfile(source / "tokenizer.json", target / "tokenizer.json")
    own = source / "tokenizer_config.json"
    if own.exists():
        shutil.copyfile(own, target / own.name)
    else:
        _write_json(target / own.name, {"tokenizer_class": "PreTrainedTokenizerFast"})


def copy_config(source: Path, target: Path, config: FalconConfig) -> None:
    """config.json as it is; generation_config.json by it, since early ones name other tokens (bos 1, eos 2)."""
    shutil.copyfile(source / "config.json", target / "config.json")
    ends = config.eos_token_ids
    _write_json(
        target / "generation_config.json",
        {
            "bos_token_id": config.bos_token_id,
            "eos_token_id": ends[0] if len(ends) == 1 else list(ends),
            "_from_model_config": True,
        },
    )


def write_manifest(
    folder: Path,
    *,
    source: ResolvedSource,
    source_sha256: str,
    config: FalconConfig,
    recipe: Recipe,
    weights: Mapping[str, WeightEntry],
    errors: Mapping[str, float],
    parity: Mapping[str, Any],
    progress: Progress,
) -> Manifest:
    """Hash all files in `folder`, then write its README.md and manifest.json. `errors` are relative, by tensor."""
    base = Manifest(
        name=source.name,
        source=Source(name=source.hub_name, sha256=source_sha256, revision=source.revision),
        recipe=recipe.to_json(),
        context_length=recipe.context_length,
        vocab_size=config.vocab_size,
        chat_template=source.chat_template,
        weight_file=f"{PACKAGE}/{WEIGHTS.as_posix()}",
        programs=(
            ProgramEntry(
                path=PACKAGE,
                target=TARGET,
                functions=("main",),
                files=tuple(f"{PACKAGE}/{p}" for p in ("Manifest.json", SPEC.as_posix(), WEIGHTS.as_posix())),
            ),
        ),
        files={},
        weights=weights,
        tools=tool_versions(),
        parity={**parity, "relative_squared_error": dict(errors)},
    )
    (folder / "README.md").write_text(_model_card(base, config), encoding="utf-8")
    manifest = Manifest(**{**vars(base), "files": _hash_files(folder, progress)})
    manifest.write(folder)
    return manifest


def tool_versions() -> dict[str, str]:
    """Versions that decide the bundle's bytes."""
    packages = ("falconet", "coremltools", "torch", "numpy", "numba", "tokenizers")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def _hash_files(folder: Path, progress: Progress) -> dict[str, FileEntry]:
    # Hidden files are none of ours: a Mac puts one beside each file where a disk has no place for attributes.
    # Names are compared here, not by `glob`: on most Macs that finds the package's Manifest.json as manifest.json, too.
    paths = sorted(p for p in folder.rglob("[!.]*") if p.is_file() and p != folder / MANIFEST_NAME)
    progress.start("seal", sum(p.stat().st_size for p in paths), "bytes")
    done = 0
    entries = {}
    for path in paths:
        digest = sha256_of(path, advance_from(progress, done))
        size = path.stat().st_size
        entries[path.relative_to(folder).as_posix()] = FileEntry(bytes=size, sha256=digest)
        done += size
    progress.finish()
    return entries


def _model_card(manifest: Manifest, config: FalconConfig) -> str:
    recipe = manifest.recipe
    return f"""# {manifest.name}

A Falcon of {config.num_layers} layers and hidden size {config.hidden_size}, exported by Falconet as a stateful Core ML
program for macOS 15 and newer.

- Source: `{manifest.source.name}`, SHA-256 `{manifest.source.sha256}`.
- Linear layers: {recipe["linear"]}; embedding and head: {recipe["embedding"]}.
- Context: {manifest.context_length:,} tokens. Vocabulary: {manifest.vocab_size:,}.
- {_measured(manifest.parity)}

`python -m runtime chat FOLDER` talks to it. The license of the weights is that of their source.
"""


def _measured(parity: Mapping[str, Any]) -> str:
    if "mean_kl" not in parity:
        return "Not verified (exported with `--no-verify`)."
    return (
        f"Verified on {parity['quality_positions']} positions. Against the original weights: "
        f"mean KL {parity['mean_kl']:.4f} nats, 99th percentile {parity['p99_kl']:.4f}, "
        f"top-1 agreement {parity['top1_agreement']:.1%}, perplexity ratio {parity['perplexity_ratio']:.4f}. "
        f"Against torch on the same weights: KL at most {parity['exact_max_kl']:.1e}."
    )


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
