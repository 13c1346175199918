"""A checkpoint of random bfloat16 weights for any Falcon's config.json, to measure exports of true width.

    python -m benchmarks.random_checkpoint CONFIG OUT [--layers N] [--seed 0]

One shard a layer, and the embedded model's tokenizer, filled up to the vocabulary. Rows differ in scale and have heavy
tails, as trained weights do. What such a model writes is noise.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from collections import defaultdict
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor

import models.tiny
from benchmarks.record import command
from models.checkpoint import expected_shapes
from models.config import FalconConfig

_ROWS = 2048


def random_matrix(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    """[rows, columns]: row scales log-normal around 0.02, one weight in 500 eight times larger."""
    out = torch.empty(rows, columns, dtype=torch.bfloat16)
    for first in range(0, rows, _ROWS):
        part = out[first : first + _ROWS]
        block = torch.randn(part.shape, generator=generator)
        block *= torch.where(torch.rand(part.shape, generator=generator) < 0.002, 8.0, 1.0)
        part[...] = block * 0.02 * torch.exp(0.4 * torch.randn(len(part), 1, generator=generator))
    return out


def random_tensor(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """A matrix, a norm's weight around 1, or a bias around 0."""
    if len(shape) == 2:
        return random_matrix(shape[0], shape[1], generator)
    centre = 0.0 if name.endswith("bias") else 1.0
    return (centre + 0.05 * torch.randn(shape, generator=generator)).bfloat16()


def write_tokenizer(folder: Path, size: int) -> None:
    """The embedded model's tokenizer with `size` tokens, those that it lacks being fillers."""
    file = models.tiny.FOLDER / "tokenizer.json"
    first, raw = Tokenizer.from_file(str(file)).get_vocab_size(), json.loads(file.read_text(encoding="utf-8"))
    raw["model"]["vocab"] |= {f"<|filler {number}|>": number for number in range(first, size)}
    Tokenizer.from_str(json.dumps(raw)).save(str(folder / "tokenizer.json"))
    shutil.copy(models.tiny.FOLDER / "tokenizer_config.json", folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--layers", type=int)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    raw = json.loads(args.config.read_text())
    if args.layers:
        raw["n_layer" if "n_layer" in raw else "num_hidden_layers"] = args.layers
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "config.json").write_text(json.dumps(raw, indent=2))
    config = FalconConfig.from_dict(raw)
    write_tokenizer(args.out, config.vocab_size)
    groups: dict[str, dict[str, tuple[int, ...]]] = defaultdict(dict)
    for name, shape in expected_shapes(config).items():
        layer = re.match(r"transformer\.h\.(\d+)\.", name)
        groups[f"layer {layer[1]}" if layer else "rest"][name] = shape
    generator = torch.Generator().manual_seed(args.seed)
    weight_map: dict[str, str] = {}
    for number, shapes in enumerate(groups.values(), start=1):
        file = f"model-{number:05d}-of-{len(groups):05d}.safetensors"
        tensors = {name: random_tensor(name, shape, generator) for name, shape in shapes.items()}
        save_file(tensors, args.out / file, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(tensors, file)
        print(f"{number} of {len(groups)} shards", flush=True)
    index = {"metadata": {"command": command("random_checkpoint")}, "weight_map": weight_map}
    (args.out / "model.safetensors.index.json").write_text(json.dumps(index))


if __name__ == "__main__":
    main()
