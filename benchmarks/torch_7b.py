"""Decoding at Falcon-7B's true shape: bundles in the torch backend against transformers in bfloat16, in one run.

    python -m benchmarks.torch_7b CHECKPOINT BUNDLE... [--tokens 8] [--rounds 7] [--write]

CHECKPOINT is what `benchmarks.random_checkpoint` made, of a few layers; BUNDLE its exports. A token's time is split
into head and layers: the head is timed alone, and 32 layers are 32 times what one layer takes, plus the head once.
Rounds of all contestants alternate, so that what else the machine does meets them alike.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import DynamicCache, FalconForCausalLM

from benchmarks.record import check_clean, checkpoint_command, make_record, write_record
from runtime.backends.choice import open_backend
from runtime.bundle import Bundle

LAYERS = 32
PROMPT = 32  # tokens


def one_by_one(feed: Callable[[int], Any], tokens: int) -> float:
    """Seconds a token."""
    begun = time.perf_counter()
    for token in range(tokens):
        feed(1000 + token)
    return (time.perf_counter() - begun) / tokens


class Transformers:
    """The model that transformers loads, with its own cache."""

    def __init__(self, checkpoint: Path) -> None:
        self.model = FalconForCausalLM.from_pretrained(checkpoint, dtype=torch.bfloat16).eval()
        self.head_bytes = self.model.lm_head.weight.nbytes
        self.bytes = sum(parameter.nbytes for parameter in self.model.parameters())

    @torch.inference_mode()
    def seconds(self, tokens: int) -> tuple[float, float]:
        """A token with all layers, and the head alone."""
        cache = DynamicCache(config=self.model.config)
        self.model(torch.arange(PROMPT)[None], past_key_values=cache, use_cache=True)
        every = one_by_one(lambda t: self.model(torch.tensor([[t]]), past_key_values=cache, use_cache=True), tokens)
        hidden = torch.randn(1, 1, self.model.config.hidden_size).bfloat16()
        return every, one_by_one(lambda _: self.model.lm_head(hidden), tokens)


class Falconet:
    """A bundle in the torch backend."""

    def __init__(self, folder: Path) -> None:
        self.bundle = Bundle.open(folder)
        self.backend = open_backend(self.bundle, "torch")
        self.model = self.backend.model  # type: ignore[attr-defined]
        head = ("transformer.word_embeddings.weight", "lm_head.weight")
        sizes = {n: sum(p.bytes for p in e.parts.values()) for n, e in self.bundle.manifest.weights.items()}
        self.bytes, self.head_bytes = sum(sizes.values()), sum(sizes.get(name, 0) for name in head)

    @torch.inference_mode()
    def seconds(self, tokens: int) -> tuple[float, float]:
        """A token with all layers, and the head alone."""
        state = self.backend.new_state()
        self.backend.feed(list(range(PROMPT)), state)
        every = one_by_one(lambda t: self.backend.feed([t], state), tokens)
        hidden = torch.randn(1, 1, self.model.config.hidden_size)
        return every, one_by_one(lambda _: self.model.lm_head(hidden), tokens)


def scaled(every: float, head: float, layers: int) -> float:
    """Seconds a token with 32 layers."""
    return head + (every - head) * LAYERS / layers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("bundles", type=Path, nargs="+")
    parser.add_argument("--tokens", type=int, default=8, help="a round (default 8)")
    parser.add_argument("--rounds", type=int, default=7, help="of each contestant (default 7)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    args = parser.parse_args()
    if args.write:
        check_clean()
    torch.set_num_threads(args.threads)
    contestants: dict[str, Transformers | Falconet] = {"transformers bfloat16": Transformers(args.checkpoint)}
    for folder in args.bundles:
        bundle = Falconet(folder)
        contestants[bundle.bundle.manifest.weights["transformer.h.0.mlp.dense_h_to_4h.weight"].format] = bundle
    layers = json.loads((args.checkpoint / "config.json").read_text())["num_hidden_layers"]
    rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    for _ in range(args.rounds + 1):
        for name, contestant in contestants.items():
            rounds[name].append(contestant.seconds(args.tokens))
    figures = {}
    baseline = [scaled(*pair, layers) for pair in rounds["transformers bfloat16"][1:]]
    print(f"{'':<24}{'tokens/s':>10}{'spread':>16}{'head ms':>10}{'ratio':>8}{'GB':>8}   at {LAYERS} layers")
    for name, contestant in contestants.items():
        seconds = [scaled(*pair, layers) for pair in rounds[name][1:]]  # the first is the warm-up
        rates = sorted(1 / s for s in seconds)
        ratio = statistics.median(b / s for b, s in zip(baseline, seconds, strict=True))
        size = contestant.head_bytes + (contestant.bytes - contestant.head_bytes) * LAYERS / layers
        head = statistics.median(pair[1] for pair in rounds[name][1:])
        figures[name] = {
            "tokens_per_second": statistics.median(rates),
            "least_and_most": [rates[0], rates[-1]],
            "ratio": ratio,
            "head_seconds": head,
            "weight_bytes": size,
        }
        print(
            f"{name:<24}{statistics.median(rates):>10.2f}{f'{rates[0]:.2f} to {rates[-1]:.2f}':>16}"
            f"{1e3 * head:>10.1f}{ratio:>8.2f}{size / 1e9:>8.2f}"
        )
    common = {"checkpoint": checkpoint_command(args.checkpoint), "layers": layers, "threads": args.threads}
    record = make_record("torch_7b", ("llvmlite", "torch", "transformers"), {**common, "at_32_layers": figures})
    print(json.dumps(record))
    if args.write:
        print(write_record(record))


if __name__ == "__main__":
    main()
