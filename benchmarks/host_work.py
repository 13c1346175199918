"""Host work of a token beside the model: choose, log-probabilities, detokenize, event. 65,024 scores, one core.

    python -m benchmarks.host_work [--write] [--tokens 400]

Scores fall with the rank of a token by a power law with noise, ranks in random places, as those of language models do:
`peaked` (exponent 1.6, a sure model) and `flat` (0.8: more doubt than text leaves). 16 vectors each take turns. The
history grows from 1,500 tokens, as in a long conversation. Falcon-7B's own tokenizer turns ids to text where
../shared has it, the embedded model's elsewhere. BLAS gets one thread. The thread's CPU time stands beside the clock's,
which on a busy machine counts other work too.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, thread_time

import numpy as np
import numpy.typing as npt

from benchmarks.record import check_clean, make_record, write_record
from runtime.detokenizer import Detokenizer
from runtime.events import TextDelta
from runtime.sampling import Order, SamplingConfig, log_probabilities, sample
from runtime.tokenizer import Tokenizer

ROOT = Path(__file__).parents[1]
FALCON_TOKENIZER = ROOT.parent / "shared" / "data" / "tokenizer"
VOCABULARY = 65_024
PROMPT_LENGTH = 1500
STOP = ("\nUser:",)
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
EXPONENTS = {"peaked": 1.6, "flat": 0.8}
PENALTIES = SamplingConfig(
    repetition_penalty=1.1,
    presence_penalty=0.1,
    frequency_penalty=0.1,
    logit_bias=dict.fromkeys(range(100, 120), -5.0),
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A way to choose tokens; `top_n` None asks for no log-probabilities."""

    name: str
    sampling: SamplingConfig
    top_n: int | None = None


def everything(order: Order, top_k: int) -> SamplingConfig:
    return SamplingConfig(
        temperature=0.8,
        top_k=top_k,
        top_p=0.95,
        min_p=0.01,
        typical_p=0.95,
        repetition_penalty=PENALTIES.repetition_penalty,
        presence_penalty=PENALTIES.presence_penalty,
        frequency_penalty=PENALTIES.frequency_penalty,
        logit_bias=PENALTIES.logit_bias,
        order=order,
    )


CASES = (
    Case(name="greedy", sampling=SamplingConfig(temperature=0)),
    Case(name="temperature", sampling=SamplingConfig(top_p=1.0)),
    Case(name="temperature, top-p (default)", sampling=SamplingConfig()),
    Case(name="default, top-20 logprobs", sampling=SamplingConfig(), top_n=20),
    Case(name="temperature, typical", sampling=SamplingConfig(top_p=1.0, typical_p=0.95)),
    Case(name="default, penalties, bias", sampling=PENALTIES),
    Case(
        name="llama.cpp's defaults", sampling=SamplingConfig(order="llama.cpp", top_k=40, min_p=0.05, temperature=0.8)
    ),
    Case(name="everything, transformers", sampling=everything("transformers", 100)),
    Case(name="everything, llama.cpp", sampling=everything("llama.cpp", 100)),
    Case(name="everything, top-20 logprobs", sampling=everything("transformers", 100), top_n=20),
    Case(name="everything but top-k, transformers", sampling=everything("transformers", 0)),
    Case(name="everything but top-k, llama.cpp", sampling=everything("llama.cpp", 0)),
)


@dataclass(frozen=True, kw_only=True)
class Row:
    logits: str
    case: str
    median_us: float
    p99_us: float
    cpu_median_us: float
    cpu_p99_us: float


def make_logits(exponent: float, seed: int) -> npt.NDArray[np.float32]:
    """Scores [V] whose probabilities fall by `exponent` with the rank, more or less."""
    chance = np.random.default_rng(seed)
    falling = -exponent * np.log(np.arange(1, VOCABULARY + 1)) + chance.normal(size=VOCABULARY) * 0.3
    return chance.permutation(falling).astype(np.float32)


def entropy(logits: npt.NDArray[np.float32]) -> float:
    weights = np.exp(logits.astype(np.float64) - logits.max())
    chances = weights / weights.sum()
    return float(-(chances * np.log(chances)).sum())


def measure(kind: str, case: Case, vectors: list[npt.NDArray[np.float32]], tokenizer: Tokenizer, tokens: int) -> Row:
    """One answer, after as many tokens to warm up as there are vectors."""
    history = np.random.default_rng(0).integers(tokenizer.vocab_size, size=PROMPT_LENGTH).tolist()
    chance, detokenizer = np.random.default_rng(0), Detokenizer(tokenizer, stop=STOP)
    clock, cpu, events = [], [], []
    for number in range(tokens + len(vectors)):
        logits = vectors[number % len(vectors)]
        begun, cpu_begun = perf_counter(), thread_time()
        past = tuple(history) if case.sampling.uses_history else ()
        token = sample(logits, past, case.sampling, chance, prompt_length=PROMPT_LENGTH)
        if case.top_n is not None:
            log_probabilities(logits, token, case.top_n)
        text = detokenizer.push(token % tokenizer.vocab_size)
        if text:
            events.append(TextDelta(text, number + 1))
        cpu.append((thread_time() - cpu_begun) * 1e6)
        clock.append((perf_counter() - begun) * 1e6)
        history.append(token)
        if detokenizer.stop_text is not None:  # chance wrote one
            detokenizer = Detokenizer(tokenizer, stop=STOP)
    clock, cpu = clock[len(vectors) :], cpu[len(vectors) :]
    return Row(
        logits=kind,
        case=case.name,
        median_us=float(np.median(clock)),
        p99_us=float(np.percentile(clock, 99)),
        cpu_median_us=float(np.median(cpu)),
        cpu_p99_us=float(np.percentile(cpu, 99)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=400, help="tokens measured of each row (400)")
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    args = parser.parse_args()
    if args.write:
        check_clean()
    if ONE_THREAD.items() - os.environ.items():  # BLAS reads them when numpy is loaded
        again = [sys.executable, "-m", "benchmarks.host_work", *sys.argv[1:]]
        raise SystemExit(subprocess.run(again, env=os.environ | ONE_THREAD, check=False).returncode)
    falcon = FALCON_TOKENIZER.is_dir()
    tokenizer = Tokenizer.open(FALCON_TOKENIZER if falcon else ROOT / "models" / "tiny")

    rows, entropies = [], {}
    print(f"{'logits':<7} {'case':<36} {'median µs':>9} {'p99 µs':>8} {'CPU µs':>9} {'p99 µs':>8}")
    for kind, exponent in EXPONENTS.items():
        vectors = [make_logits(exponent, seed) for seed in range(16)]
        entropies[kind] = float(np.mean([entropy(logits) for logits in vectors]))
        for case in CASES:
            row = measure(kind, case, vectors, tokenizer, args.tokens)
            rows.append(row)
            print(f"{kind:<7} {case.name:<36} {row.median_us:>9.0f} {row.p99_us:>8.0f}", end="")
            print(f" {row.cpu_median_us:>9.0f} {row.cpu_p99_us:>8.0f}", flush=True)
    record = make_record(
        "host_work",
        ("numpy", "tokenizers"),
        {
            "vocabulary": VOCABULARY,
            "tokenizer": "falcon-7b" if falcon else "falcon-tiny-instruct",
            "tokens": args.tokens,
            "prompt_tokens": PROMPT_LENGTH,
            "entropy_nats": entropies,
            "rows": [asdict(row) for row in rows],
        },
    )
    print(json.dumps(record))
    if args.write:
        print(write_record(record))


if __name__ == "__main__":
    main()
