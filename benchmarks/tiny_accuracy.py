"""falcon-tiny-instruct's exact answers to held-out questions: in float16, and through the default recipe's tensors.

python -m benchmarks.tiny_accuracy [--seed 1] [--count 60] [--write]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import torch
from tokenizers import Tokenizer

import models.tiny
from benchmarks.record import check_clean, make_record, write_record
from export.calibrate import Calibration
from export.compress import compress
from export.progress import SilentProgress
from export.recipes import make_recipe
from export.store import TensorStore
from models.checkpoint import Checkpoint
from models.compressed import weight_of
from models.falcon import Falcon
from models.tiny.evaluate import answer_all, make_cases, table


def quantised(checkpoint: Checkpoint) -> Falcon:
    """The model with every tensor as the default recipe keeps it."""
    model = checkpoint.load()
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        store = TensorStore(Path(folder))
        compress(checkpoint, make_recipe(checkpoint.config), store, SilentProgress(), Calibration())
        for name, parameter in model.named_parameters():
            if parameter.ndim == 2:
                parts = {part: torch.from_numpy(array.copy()) for part, array in store.read(name).parts.items()}
                parameter.copy_(weight_of(parts).dense(torch.float32))
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="of the choice of cases; 0 was looked at while training")
    parser.add_argument("--count", type=int, default=60, help="cases of each kind (default: 60)")
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    args = parser.parse_args()
    if args.write:
        check_clean()
    checkpoint = Checkpoint.open(models.tiny.FOLDER)
    tokenizer = Tokenizer.from_file(str(models.tiny.FOLDER / "tokenizer.json"))
    shares = {}
    for form, model in (("fp16", checkpoint.load()), ("lut4", quantised(checkpoint))):
        counts = table(answer_all(model, tokenizer, make_cases(args.seed, args.count)))
        shares[form] = {topic: round(right / total, 4) for topic, (right, total) in counts.items()}
    figures = {"seed": args.seed, "cases_of_each_kind": args.count, "exact_answers": shares}
    result = make_record("tiny_accuracy", ("torch", "tokenizers"), figures)
    print(json.dumps(result, indent=2))
    if args.write:
        print(write_record(result))


if __name__ == "__main__":
    main()
