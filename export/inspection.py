"""What a bundle holds, as data and as a text for people."""

from __future__ import annotations

import math
import shutil
import textwrap
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runtime.bundle import Bundle
from runtime.errors import BundleError
from runtime.manifest import MANIFEST_NAME
from runtime.sizes import data_size


def inspect(folder: Path) -> dict[str, Any]:
    """Sizes by part and format, figures of verification, census. Raises BundleError for what is no bundle."""
    bundle = Bundle.open(folder)
    manifest = bundle.manifest
    groups: dict[str, dict[str, Any]] = defaultdict(lambda: {"tensors": 0, "weights": 0, "bytes": 0, "formats": set()})
    for name, weight in manifest.weights.items():
        group = groups[_part(name, len(weight.shape))]
        group["tensors"] += 1
        group["weights"] += math.prod(weight.shape)
        group["bytes"] += sum(part.bytes for part in weight.parts.values())
        group["formats"].add(weight.format)
    return {
        "name": manifest.name,
        "folder": str(bundle.folder),
        "source": {"name": manifest.source.name, "sha256": manifest.source.sha256},
        "bytes": sum(entry.bytes for entry in manifest.files.values()),
        "context_length": manifest.context_length,
        "vocab_size": manifest.vocab_size,
        "chat_template": manifest.chat_template,
        "recipe": dict(manifest.recipe),
        "weights": {name: {**group, "formats": sorted(group["formats"])} for name, group in groups.items()},
        "parity": dict(manifest.parity),
        "programs": [{"path": p.path, "target": p.target, "functions": list(p.functions)} for p in manifest.programs],
        "tools": dict(manifest.tools),
    }


def _part(name: str, rank: int) -> str:
    if rank == 1:
        return "norms and biases"
    if name.startswith("transformer.h."):
        return ".".join(name.split(".")[3:-1])
    return {"transformer.word_embeddings.weight": "embedding", "lm_head.weight": "head"}[name]


def render(report: dict[str, Any]) -> str:
    """The report as lines of text, the last of them as wide as the terminal. Raises BundleError for figures that are
    none: unlike sizes and places of weights, which every reader needs, they are not checked before."""
    try:
        return _render(report)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(
            f"{Path(report['folder']) / MANIFEST_NAME} has figures that cannot be shown ({type(error).__name__}: "
            f"{error}); `inspect --json` shows them as they are, or export the bundle again."
        ) from None


_CHAT = {"raw": "raw: text is continued, no format of a conversation is known (`--template` of chat names one)"}


def _render(report: dict[str, Any]) -> str:
    parity, recipe = report["parity"], report["recipe"]
    asked = f", tensors at most {data_size(recipe['size_bytes'])} by --size" if recipe.get("size_bytes") else ""
    lines = [
        f"{report['name']}  ({report['folder']})",
        f"  source    {report['source']['name']}, SHA-256 {report['source']['sha256'][:16]}…",
        f"  size      {data_size(report['bytes'])}{asked}",
        f"  context   {report['context_length']:,} tokens, vocabulary {report['vocab_size']:,}",
        f"  chat      {_CHAT.get(report['chat_template'], report['chat_template'])}",
        f"  program   {', '.join(p['path'] + ' for ' + p['target'] for p in report['programs'])}",
        *_calibration(recipe),
        "",
        f"  {'part':<34}{'format':>14}{'tensors':>9}{'weights':>16}{'MB':>10}{'bits':>7}",
    ]
    for name, group in report["weights"].items():
        bits = 8 * group["bytes"] / group["weights"]
        lines.append(
            f"  {name:<34}{'/'.join(group['formats']):>14}{group['tensors']:>9}{group['weights']:>16,}"
            f"{group['bytes'] / 1e6:>10,.2f}{bits:>7.2f}"
        )
    lines.append("")
    if "mean_kl" in parity:
        lines += [
            f"  verified on {parity['quality_positions']} positions ({parity['package_positions']} by the package)",
            f"    package against torch, same weights: KL at most {parity['exact_max_kl']:.1e} nats",
            f"    against the original weights: mean KL {parity['mean_kl']:.4f}, 99 % {parity['p99_kl']:.4f} nats, "
            f"top-1 {parity['top1_agreement']:.1%}, perplexity × {parity['perplexity_ratio']:.4f}",
            f"    largest activation {parity['largest_activation']:,.1f} (float16 ends at 65,504)",
        ]
    else:
        lines.append("  not verified")
    if "census" in parity:  # another program's bundle may do without
        lines += _ops_lines(parity["census"]["ops"])
    return "\n".join(lines)


def _calibration(recipe: Mapping[str, Any]) -> list[str]:
    if not recipe.get("calibration"):
        return []
    tokens = recipe.get("calibration_tokens")
    amount = f"{tokens:,} tokens of " if tokens else ""
    return [
        f"  text      calibrated on {amount}a text with SHA-256 {recipe['calibration'][:16]}…: "
        "errors are weighed by what it feeds into each matrix"
    ]


def _ops_lines(ops: Mapping[str, int]) -> list[str]:
    """Counts and names, none torn apart at the end of a line."""
    words = ", ".join(f"{count}\xa0{name}" for name, count in ops.items() if name != "const")
    width = max(40, shutil.get_terminal_size().columns)
    lines = textwrap.wrap(
        words,
        width,
        initial_indent="  ops  ",
        subsequent_indent=" " * 7,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace("\xa0", " ") for line in lines]
