"""The torch backend against transformers' `generate`: the same checkpoint, threads and tokens, in one run.

    python -m benchmarks.torch_cpu [CHECKPOINT] [--prompt 256] [--tokens 64] [--rounds 5] [--write]

Without CHECKPOINT a random one of middle size is made: 12 layers, hidden 1,024, 16 heads with one key, vocabulary
65,024, bfloat16 numbers as in every Falcon on the Hub. Prefill is the time to a first token; decode is the rest of
`generate`, greedy, a token. Rounds alternate, so that what else the machine does meets both alike.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from transformers import FalconConfig as HubConfig
from transformers import FalconForCausalLM

from benchmarks.record import check_clean, make_record, write_record
from runtime.backends.checkpoint import open_checkpoint

DTYPES: tuple[Literal["float32", "bfloat16"], ...] = ("float32", "bfloat16")


def make_checkpoint(folder: Path) -> Path:
    """A random Falcon of middle size."""
    torch.manual_seed(0)
    config = HubConfig(
        vocab_size=65024,
        hidden_size=1024,
        num_hidden_layers=12,
        num_attention_heads=16,
        multi_query=True,
        parallel_attn=True,
        bias=False,
        alibi=False,
        new_decoder_architecture=False,
    )
    FalconForCausalLM(config).bfloat16().save_pretrained(folder)
    return folder


class Theirs:
    """transformers' `generate`."""

    def __init__(self, folder: Path, dtype: str) -> None:
        self.model = FalconForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()

    def tokens(self, prompt: list[int], count: int) -> list[int]:
        """The greedy answer, of exactly `count` tokens."""
        ids = torch.tensor([prompt])
        out = self.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=count,
            min_new_tokens=count,
            do_sample=False,
            pad_token_id=11,
        )
        found: list[int] = out[0, len(prompt) :].tolist()
        return found


class Ours:
    """The torch backend, greedy."""

    def __init__(self, folder: Path, dtype: Literal["float32", "bfloat16"]) -> None:
        self.backend = open_checkpoint(folder, dtype=dtype)

    def tokens(self, prompt: list[int], count: int) -> list[int]:
        """The greedy answer, of exactly `count` tokens."""
        state = self.backend.new_state()
        found = [int(self.backend.feed(prompt, state).argmax())]
        while len(found) < count:
            found.append(int(self.backend.feed(found[-1:], state).argmax()))
        return found


def measure(model: Theirs | Ours, prompt: list[int], count: int) -> tuple[float, float]:
    """Seconds of a prefill, and seconds a token after it."""
    begun = time.perf_counter()
    model.tokens(prompt, 1)
    prefill = time.perf_counter() - begun
    begun = time.perf_counter()
    model.tokens(prompt[:1], count)
    return prefill, (time.perf_counter() - begun) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, nargs="?")
    parser.add_argument("--prompt", type=int, default=256, help="tokens of the prompt (default 256)")
    parser.add_argument("--tokens", type=int, default=64, help="tokens of the answer (default 64)")
    parser.add_argument("--rounds", type=int, default=5, help="of each, after one to warm up (default 5)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    args = parser.parse_args()
    if args.write:
        check_clean()
    torch.set_num_threads(args.threads)
    prompt: list[int] = np.random.default_rng(0).integers(12, 65024, args.prompt).tolist()
    figures: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = args.checkpoint or make_checkpoint(Path(folder))
        for dtype in DTYPES:
            pair = Theirs(checkpoint, dtype), Ours(checkpoint, dtype)
            rounds = [[measure(model, prompt, args.tokens) for model in pair] for _ in range(args.rounds + 1)][1:]
            figures[dtype] = {"same_tokens": pair[0].tokens(prompt, 16) == pair[1].tokens(prompt, 16)}
            for place, what in enumerate(("prefill", "decode")):
                theirs, ours = ([each[who][place] for each in rounds] for who in (0, 1))
                ratios = sorted(t / o for t, o in zip(theirs, ours, strict=True))
                rate = args.prompt if what == "prefill" else 1
                figures[dtype] |= {
                    what: {
                        "transformers_tokens_per_second": rate / statistics.median(theirs),
                        "tokens_per_second": rate / statistics.median(ours),
                        "ratio": statistics.median(ratios),
                        "ratio_least_and_most": [ratios[0], ratios[-1]],
                    }
                }
                print(
                    f"{dtype} {what}: {rate / statistics.median(theirs):.1f} against "
                    f"{rate / statistics.median(ours):.1f} tokens/s, {statistics.median(ratios):.2f} times "
                    f"({ratios[0]:.2f} to {ratios[-1]:.2f})",
                    flush=True,
                )
    sizes = {"prompt_tokens": args.prompt, "answer_tokens": args.tokens, "threads": args.threads}
    record = make_record("torch_cpu", ("llvmlite", "torch", "transformers"), {**sizes, "by_dtype": figures})
    print(json.dumps(record))
    if args.write:
        print(write_record(record))


if __name__ == "__main__":
    main()
