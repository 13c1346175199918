"""What calibrated codebooks give at 4 bits: KL divergence on held-out text, plain against --calibrate.

    python -m benchmarks.tiny_calibration [--seeds 3] [--write]

The embedded model in the default recipe; text from its own generator, with other seeds for calibration than for
judging. KL is against the original weights.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor

import models.tiny
from benchmarks.record import check_clean, make_record, write_record
from export.calibrate import Calibration, record
from export.compress import compress
from export.progress import SilentProgress
from export.recipes import make_recipe
from export.reference import CheckpointReader, ReferenceModel, StoreReader
from export.store import TensorStore
from export.verify import divergence
from models.checkpoint import Checkpoint
from models.tiny.dialogues import dialogue
from models.tiny.tokenizer import encode

CALIBRATION_TOKENS = 2048
HELD_OUT_TOKENS = 8192


def text(tokenizer: Tokenizer, seed: int, tokens: int) -> list[list[int]]:
    """Conversations of the training kind, of at least so many tokens together."""
    rng = Random(seed)
    sequences: list[list[int]] = []
    while sum(map(len, sequences)) < tokens:
        sequences.append(encode(tokenizer, dialogue(rng))[0])
    return sequences


def mean_kl(checkpoint: Checkpoint, calibration: Calibration, truth: Tensor, held_out: list[list[int]]) -> float:
    """Of the default recipe's tensors, in nats a token."""
    with tempfile.TemporaryDirectory() as folder:
        store = TensorStore(Path(folder))
        compress(checkpoint, make_recipe(checkpoint.config), store, SilentProgress(), calibration)
        model = ReferenceModel(checkpoint.config, StoreReader(store))
        return float(divergence(truth, torch.cat(model.logits(held_out, lambda _: None))).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="different calibration texts (default: 3)")
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    args = parser.parse_args()
    if args.write:
        check_clean()
    folder = models.tiny.FOLDER
    checkpoint = Checkpoint.open(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    original = CheckpointReader(checkpoint)
    held_out = text(tokenizer, 1_000_000, HELD_OUT_TOKENS)
    truth = torch.cat(ReferenceModel(checkpoint.config, original).logits(held_out, lambda _: None))
    plain = mean_kl(checkpoint, Calibration(), truth, held_out)
    calibrated = []
    for seed in range(args.seeds):
        sample = text(tokenizer, 2_000_000 + seed, CALIBRATION_TOKENS)
        with tempfile.TemporaryDirectory() as work:
            calibration = record(checkpoint.config, original, sample, Path(work) / "inputs", SilentProgress())
            calibrated.append(mean_kl(checkpoint, calibration, truth, held_out))
    figures = {
        "held_out_tokens": len(truth),
        "calibration_tokens": CALIBRATION_TOKENS,
        "plain_mean_kl": plain,
        "calibrated_mean_kl": calibrated,
        "reduction": 1 - statistics.median(calibrated) / plain,
    }
    print(f"mean KL: plain {plain:.5f}, calibrated {', '.join(f'{kl:.5f}' for kl in calibrated)} nats")
    print(f"reduction (median): {figures['reduction']:.1%}")
    result = make_record("tiny_calibration", ("torch", "numpy", "numba"), figures)
    print(json.dumps(result))
    if args.write:
        print(write_record(result))


if __name__ == "__main__":
    main()
