"""Several answers at once: BatchEngine against a LocalEngine that writes them one after the other, in one run.

    python -m benchmarks.batch BUNDLE... [--backend torch] [--answers 1 2 4 8] [--tokens 32] [--rounds 5] [--write]

Tokens a second of all answers together, prompts of 32 tokens included, no guesses; engines alternate within a round.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.record import check_clean, make_record, write_record
from runtime import BatchEngine, Finished, GenerationOptions, LocalEngine, SamplingConfig
from runtime.engines.base import Engine

PROMPT = 32  # tokens, more or less


def write(engine: Engine, prompt: str, options: GenerationOptions) -> int:
    """Tokens of an answer."""
    *_, last = engine.complete(prompt, options)
    assert isinstance(last, Finished)
    return last.stats.new_tokens


class Contest:
    """One bundle, both ways."""

    def __init__(self, bundle: Path, backend: str, most: int, tokens: int) -> None:
        self.local = LocalEngine.open(bundle, backend=backend)
        self.batch = BatchEngine.open(bundle, backend=backend, most_answers=most)
        tokenizer = self.local.tokenizer
        ends = dict.fromkeys((*tokenizer.control_ids, tokenizer.eos_id), -100.0)
        sampling = SamplingConfig(temperature=0, logit_bias=ends)
        self.options = GenerationOptions(sampling=sampling, max_new_tokens=tokens, prompt_lookup=False)
        self.rounds = 0

    def prompts(self, count: int) -> list[str]:
        """New ones each time: nothing read before is used again."""
        self.rounds += 1
        return [f"{self.rounds} {number} " + "word " * PROMPT for number in range(count)]

    def one_by_one(self, count: int) -> float:
        """Tokens a second."""
        prompts = self.prompts(count)
        begun = time.perf_counter()
        written = sum(write(self.local, prompt, self.options) for prompt in prompts)
        return written / (time.perf_counter() - begun)

    def at_once(self, count: int) -> float:
        """Tokens a second."""
        prompts = self.prompts(count)
        with ThreadPoolExecutor(count) as threads:
            begun = time.perf_counter()
            written = sum(threads.map(lambda prompt: write(self.batch, prompt, self.options), prompts))
            return written / (time.perf_counter() - begun)


def compare(bundle: Path, args: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each number of answers."""
    contest = Contest(bundle, args.backend, max(args.answers), args.tokens)
    rows = []
    contest.one_by_one(1)
    contest.at_once(max(args.answers))
    for count in args.answers:
        pairs = [(contest.one_by_one(count), contest.at_once(count)) for _ in range(args.rounds)]
        alone, together = (statistics.median(side) for side in zip(*pairs, strict=True))
        ratios = sorted(two / one for one, two in pairs)
        rows.append(
            {
                "bundle": contest.local.info.model,
                "answers": count,
                "one_by_one_tokens_per_second": alone,
                "at_once_tokens_per_second": together,
                "ratio": statistics.median(ratios),
                "ratio_range": [ratios[0], ratios[-1]],
            }
        )
        print(
            f"{contest.local.info.model:<24}{count:>3} answers: {alone:8.1f} tokens/s one by one, "
            f"{together:8.1f} at once, {rows[-1]['ratio']:.2f} times ({ratios[0]:.2f} to {ratios[-1]:.2f})",
            flush=True,
        )
    contest.local.close()
    contest.batch.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", type=Path, nargs="+", metavar="BUNDLE")
    parser.add_argument("--backend", default="torch")
    parser.add_argument("--answers", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    args = parser.parse_args()
    if args.write:
        check_clean()
    rows = [row for bundle in args.bundles for row in compare(bundle, args)]
    figures = {"backend": args.backend, "tokens": args.tokens, "rounds": args.rounds, "rows": rows}
    record = make_record("batch", ("numba", "numpy", "torch"), figures)
    print(json.dumps(record))
    if args.write:
        print(write_record(record))


if __name__ == "__main__":
    main()
