"""What calibrated codebooks give at 4 bits: KL divergence on held-out text, plain against weighted by activations.

    python -m benchmarks.tiny_calibration [--seeds 3] [--write]

The embedded model; text from its own generator, with other seeds for calibration than for judging. All linear layers at
lut4 in groups of 32 rows, embedding at lut8, as the default recipe has it. KL is against the original weights.
"""

from __future__ import annotations

import argparse
import json
import statistics
from random import Random
from typing import Literal

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

import models.tiny
from benchmarks.record import make_record, write_record
from export.calibrate import Importance, column_importance
from export.palettize import palettize
from export.progress import SilentProgress
from export.reference import CheckpointReader, ReferenceModel
from export.verify import divergence
from models.checkpoint import Checkpoint
from models.compressed import DenseWeight, Weight
from models.tiny.dialogues import dialogue
from models.tiny.tokenizer import encode

GROUP_SIZE = 32
CALIBRATION_TOKENS = 2048
HELD_OUT_TOKENS = 8192


class PalettizedReader:
    """The checkpoint's weights after palettization, weighed by `importance` where it names a matrix."""

    def __init__(self, checkpoint: Checkpoint, importance: Importance) -> None:
        self._checkpoint = checkpoint
        self._importance = importance
        self._made: dict[str, Weight] = {}

    def matrix(self, name: str) -> Weight:
        if name not in self._made:
            bits: Literal[4, 8] = 8 if "embeddings" in name else 4
            result = palettize(
                self._checkpoint.tensor(name), bits=bits, group_size=GROUP_SIZE, importance=self._importance.get(name)
            )
            table = np.repeat(result.codebook, GROUP_SIZE, axis=0)
            self._made[name] = DenseWeight(torch.from_numpy(np.take_along_axis(table, result.indices.astype(int), 1)))
        return self._made[name]

    def vector(self, name: str) -> Tensor:
        return self._checkpoint.tensor(name)


def text(tokenizer: Tokenizer, seed: int, tokens: int) -> list[list[int]]:
    """Conversations of the training kind, of at least so many tokens together."""
    rng = Random(seed)
    sequences: list[list[int]] = []
    while sum(map(len, sequences)) < tokens:
        sequences.append(encode(tokenizer, dialogue(rng))[0])
    return sequences


def mean_kl(checkpoint: Checkpoint, importance: Importance, truth: Tensor, held_out: list[list[int]]) -> float:
    """Nats a token."""
    reader = PalettizedReader(checkpoint, importance)
    logits = torch.cat(ReferenceModel(checkpoint.config, reader).logits(held_out, lambda _: None))
    return float(divergence(truth, logits).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="different calibration texts (default: 3)")
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    args = parser.parse_args()
    folder = models.tiny.FOLDER
    checkpoint = Checkpoint.open(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    original = CheckpointReader(checkpoint)
    held_out = text(tokenizer, 1_000_000, HELD_OUT_TOKENS)
    truth = torch.cat(ReferenceModel(checkpoint.config, original).logits(held_out, lambda _: None))
    plain = mean_kl(checkpoint, {}, truth, held_out)
    weighted = []
    for seed in range(args.seeds):
        sample = text(tokenizer, 2_000_000 + seed, CALIBRATION_TOKENS)
        importance = column_importance(checkpoint.config, original, sample, SilentProgress())
        weighted.append(mean_kl(checkpoint, importance, truth, held_out))
    figures = {
        "held_out_tokens": len(truth),
        "calibration_tokens": CALIBRATION_TOKENS,
        "plain_mean_kl": plain,
        "weighted_mean_kl": weighted,
        "reduction": 1 - statistics.median(weighted) / plain,
    }
    print(f"mean KL: plain {plain:.5f}, weighted {', '.join(f'{kl:.5f}' for kl in weighted)} nats")
    print(f"reduction (median): {figures['reduction']:.1%}")
    record = make_record("tiny_calibration", ("torch", "numpy", "numba"), figures)
    print(json.dumps(record))
    if args.write:
        print(write_record(record))


if __name__ == "__main__":
    main()
