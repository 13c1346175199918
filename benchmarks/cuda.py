"""A card's figures: decoding, prompts, batches and the start, against transformers and torch.compile in one run.

    python -m benchmarks.cuda [--tiny] [--only SECTION ...] [--write]

Weights are random, of Falcon-7B's and 40B's true shapes, made on the card; nothing is fetched. A floor is the time to
read weights and cache once at the speed at which the card copies. Each section stands alone: one that fails says why,
and the others go on. `--only "7b lut4*"` measures every way of a step in one run. `--tiny` runs all of it on the CPU,
by Triton's interpreter, at sizes that mean nothing: it proves that nothing is broken but speed.
"""

from __future__ import annotations

import argparse
import fnmatch
import gc
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import FalconConfig as HubConfig
from transformers import FalconForCausalLM

from benchmarks.card import measured_card, told_of
from benchmarks.compiled_falcon import compiled_step
from benchmarks.random_falcon import SHAPES, random_falcon, write_bundle
from benchmarks.record import check_clean, make_record, write_record
from models.cuda.step import Stage
from models.cuda.table import card_kernels
from models.cuda.ways import Ways
from models.cuda.weight import CudaWeight
from runtime.backends.cards import card_bandwidth
from runtime.backends.cuda import CudaBackend
from runtime.backends.placement import stored_bytes
from runtime.chooser import Chooser
from runtime.sampling.config import SamplingConfig

_TABLES = Ways(tables=card_kernels)
TRIED = {
    "tables": _TABLES,
    "tables, early": replace(_TABLES, early=True),
    "tables, normed": replace(_TABLES, normed=True),
    "tables, normed, combined": replace(_TABLES, normed=True, combined=True),
    "tables, normed, combined, early": replace(_TABLES, normed=True, combined=True, early=True),
    "combined": Ways(combined=True),
}
"""Ways of a step beside the one that is taken by itself."""

_NEAR = 1e-2  # relative, of scores whose sums have other orders


@dataclass(frozen=True)
class Plan:
    """What is measured: sizes in tokens, counts of runs."""

    prefix: str  # of the names of shapes
    device: torch.device
    context: int
    prompt: int
    batch: int
    steps: int
    rounds: int
    compile_mode: str | None
    bandwidth: float  # bytes a second

    def done(self) -> None:
        """Wait for the card."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def median_seconds(plan: Plan, runs: int, call: Callable[[int], object]) -> float:
    """Of `runs` calls with their number, after one that does not count."""
    seconds = []
    for number in range(runs + 1):
        plan.done()
        begun = time.perf_counter()
        call(number)
        plan.done()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds[1:])


class Ours:
    """A random model on the cuda backend, by one of its ways. The likeliest token is chosen where the scores are.

    Raises RuntimeError where a way is not to be had, or computes something else than those that it is built upon.
    """

    def __init__(self, plan: Plan, shape: str, form: str, ways: Ways | None = None) -> None:
        model = random_falcon(plan.prefix + shape, form, plan.device)
        self.plan = plan
        self.config = model.config
        self.weight_bytes = stored_bytes(model)
        stages = [Stage(plan.device, 0, self.config.num_layers)]
        ways = ways or Ways()
        self.backend = CudaBackend(model, stages, ways)
        kernels = [module.matrix for module in model.modules() if isinstance(module, CudaWeight)]
        if ways.tables is not None and any(matrix.table is None for matrix in kernels):
            raise RuntimeError("Triton's kernels would be measured, as table.cu does not compile here")
        if ways.early:  # what did not wait would be fast, and wrong
            self.check_like(CudaBackend(model, stages, replace(ways, early=False)), 0)
        if ways not in (Ways(), Ways(tables=ways.tables)):
            self.check_like(CudaBackend(model, stages, Ways(tables=ways.tables)), _NEAR)
        self.chooser = Chooser(SamplingConfig(temperature=0), (), choices=self.config.vocab_size)

    def ids(self, count: int) -> list[int]:
        """Random tokens."""
        return torch.randint(0, self.config.vocab_size, (count,)).tolist()

    def check_like(self, other: CudaBackend, limit: float) -> None:
        """Raises RuntimeError where scores after the same tokens are further from `other`'s than `limit`, relative."""
        prompt, tokens = self.ids(self.plan.context), self.ids(32)
        states = [backend.new_state() for backend in (self.backend, other)]
        for feed in (prompt, *([token] for token in tokens)):
            mine, theirs = self.backend.feed(feed, states[0]), other.feed(feed, states[1])
            distance = float(np.linalg.norm(mine - theirs) / np.linalg.norm(theirs))
            if not distance <= limit:
                raise RuntimeError(f"scores are {distance:.1g} from those of the ways that it is built upon")

    def decode(self) -> dict[str, float]:
        """One token after another behind a context."""
        state = self.backend.new_state()
        self.backend.feed(self.ids(self.plan.context), state)
        tokens = self.ids(self.plan.steps + 1)
        seconds = median_seconds(
            self.plan, self.plan.steps, lambda number: self.backend.choose([tokens[number]], state, self.chooser)
        )
        length = self.plan.context + self.plan.steps // 2
        row = 4 * self.config.num_layers * self.config.num_kv_heads * self.config.head_dim
        read = self.weight_bytes + length * row
        floor = read / self.plan.bandwidth
        return {
            "tokens_per_second": 1 / seconds,
            "bytes_per_token": read,
            "floor_seconds": floor,
            "share_of_floor": floor / seconds,
        }

    def prefill(self) -> dict[str, float]:
        """A whole prompt, in the backend's own pieces, to the scores of the next token."""
        prompt = self.ids(self.plan.prompt)
        seconds = median_seconds(
            self.plan, self.plan.rounds, lambda _: self.backend.feed(prompt, self.backend.new_state())
        )
        return {"tokens_per_second": self.plan.prompt / seconds, "seconds": seconds}

    def batch(self) -> dict[str, float]:
        """One token of each of several conversations at a time."""
        states = [self.backend.new_state() for _ in range(self.plan.batch)]
        for state in states:
            self.backend.feed(self.ids(self.plan.context), state)
        tokens = self.ids(self.plan.batch)
        asks = [([token], state, self.chooser) for token, state in zip(tokens, states, strict=True)]
        seconds = median_seconds(self.plan, self.plan.steps // 2, lambda _: self.backend.choose_batch(asks))
        return {"tokens_per_second": self.plan.batch / seconds}


class Transformers:
    """The model of transformers in bfloat16."""

    def __init__(self, plan: Plan, shape: str) -> None:
        self.plan = plan
        config = SHAPES[plan.prefix + shape]
        hub = HubConfig(
            vocab_size=config.vocab_size,
            hidden_size=config.hidden_size,
            num_hidden_layers=config.num_layers,
            num_attention_heads=config.num_heads,
            multi_query=True,
            max_position_embeddings=config.context_length,
        )
        hub._attn_implementation = "sdpa"
        torch.set_default_dtype(torch.bfloat16)
        try:
            with plan.device:
                self.model = FalconForCausalLM(hub).eval().requires_grad_(False)
        finally:
            torch.set_default_dtype(torch.float32)
        self.vocab_size = config.vocab_size

    def _ids(self, count: int) -> torch.Tensor:
        return torch.randint(0, self.vocab_size, (1, count), device=self.plan.device)

    @torch.inference_mode()
    def decode(self) -> dict[str, float]:
        """`generate`: what more tokens take than one."""
        ids = self._ids(self.plan.context)

        def generate(count: int) -> object:
            return self.model.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, min_new_tokens=count, do_sample=False
            )

        rounds = min(3, self.plan.rounds)
        few, many = (
            median_seconds(self.plan, rounds, lambda _, count=count: generate(count))  # type: ignore[misc]
            for count in (1, 1 + self.plan.steps // 2)
        )
        return {"tokens_per_second": (self.plan.steps // 2) / (many - few)}

    @torch.inference_mode()
    def prefill(self) -> dict[str, float]:
        """The products are cuBLAS's; the head scores the last position only."""
        ids = self._ids(self.plan.prompt)

        def read(_: int) -> object:
            hidden = self.model.transformer(ids, use_cache=True).last_hidden_state
            return self.model.lm_head(hidden[:, -1]).float().cpu()

        seconds = median_seconds(self.plan, self.plan.rounds, read)
        return {"tokens_per_second": self.plan.prompt / seconds, "seconds": seconds}


def compiled_decode(plan: Plan) -> dict[str, float]:
    """Falcon-7B in bfloat16, compiled; it reads its whole cache each time, as compiled models do."""
    begun = time.perf_counter()
    step = compiled_step(SHAPES[f"{plan.prefix}7b"], plan.device, mode=plan.compile_mode)
    for number in range(4):
        step(number, plan.context + number)
    compiling = time.perf_counter() - begun
    seconds = median_seconds(plan, plan.steps, lambda number: step(number, plan.context + number))
    return {"tokens_per_second": 1 / seconds, "compile_seconds": compiling}


def start(plan: Plan) -> dict[str, float]:
    """Seconds from before a process starts to its first token; the bundle's file was written just before."""
    found = []
    with tempfile.TemporaryDirectory() as name:
        write_bundle(random_falcon(f"{plan.prefix}7b", "lut4", plan.device), Path(name))
        for _ in range(4):
            begun = time.time()
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.first_token", name], capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise RuntimeError(done.stderr.strip().splitlines()[-1])
            found.append(float(done.stdout.split()[-1]) - begun)
    return {"first_run_seconds": found[0], "seconds": statistics.median(found[1:])}


def sections(plan: Plan) -> dict[str, Callable[[], dict[str, Any]]]:
    """Each gives figures by contestant; what it made is gone when it returns."""

    def lut4() -> dict[str, Any]:
        ours = Ours(plan, "7b", "lut4")
        return {"decode": ours.decode(), "prefill": ours.prefill(), "batch": ours.batch()}

    def by(shape: str, tried: str) -> dict[str, Any]:
        ours = Ours(plan, shape, "lut4", TRIED[tried])
        return {"decode": ours.decode()} | ({"batch": ours.batch()} if shape == "7b" else {})

    def bf16() -> dict[str, Any]:
        ours = Ours(plan, "7b", "bf16")
        return {"decode": ours.decode(), "prefill": ours.prefill()}

    def hub() -> dict[str, Any]:
        peer = Transformers(plan, "7b")
        return {"decode": peer.decode(), "prefill": peer.prefill()}

    by_tables = {f"{shape} lut4, {tried}": partial(by, shape, tried) for shape in ("7b", "40b") for tried in TRIED}
    return {
        "7b lut4": lut4,
        "7b bf16": bf16,
        "transformers bf16": hub,
        "start": lambda: {"start": start(plan)},
        "40b lut4": lambda: {"decode": Ours(plan, "40b", "lut4").decode()},
        "compiled bf16": lambda: {"decode": compiled_decode(plan)},
        **(by_tables if plan.device.type == "cuda" else {}),  # last: a kernel's fault would end all that follows
    }


def goals(figures: dict[str, Any], plan: Plan) -> dict[str, tuple[float, float]]:
    """What is to be reached: figure and goal, of what was measured. At least, but for the start, which is at most."""

    def rate(section: str, what: str) -> float:
        found = figures.get(section, {}).get(what, {})
        return float(found.get("tokens_per_second", float("nan")))

    def share(section: str) -> float:
        return float(figures.get(section, {}).get("decode", {}).get("share_of_floor", float("nan")))

    def of(section: str) -> dict[str, tuple[float, float]]:
        own = rate(section, "decode")
        return {
            f"{section}: decode, share of the floor": (share(section), 0.6),
            f"{section}: decode, times transformers' bf16": (own / rate("transformers bf16", "decode"), 8),
            f"{section}: decode, times compiled bf16": (own / rate("compiled bf16", "decode"), 2.5),
            f"{section}: batch {plan.batch}, times batch 1": (rate(section, "batch") / own, 12),
        }

    return {
        **of("7b lut4"),
        **{name: found for tried in TRIED for name, found in of(f"7b lut4, {tried}").items()},
        "decode bf16, share of the floor": (share("7b bf16"), 0.8),
        "prefill lut4, of cuBLAS bf16": (rate("7b lut4", "prefill") / rate("transformers bf16", "prefill"), 0.5),
        "40b lut4: decode, share of the floor": (share("40b lut4"), 0.6),
        **{f"40b lut4, {tried}: decode, share of the floor": (share(f"40b lut4, {tried}"), 0.6) for tried in TRIED},
        "start to first token, seconds": (
            float(figures.get("start", {}).get("start", {}).get("seconds", float("nan"))),
            5,
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--tiny", action="store_true", help="on the CPU, with TRITON_INTERPRET=1, at sizes of no meaning"
    )
    parser.add_argument("--only", nargs="+", metavar="SECTION", help="these (* for any letters); else all")
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    args = parser.parse_args()
    if args.write:
        check_clean()
    card = measured_card(tiny=args.tiny)
    plan = (
        Plan("tiny-", torch.device("cpu"), 8, 20, 3, 2, 1, None, 1e9)
        if args.tiny
        else Plan("", torch.device("cuda", 0), 512, 1024, 32, 64, 5, "reduce-overhead", card_bandwidth())
    )
    assert f"{plan.prefix}7b" in SHAPES
    known = sections(plan)
    chosen = {pattern: fnmatch.filter(known, pattern) for pattern in args.only or ("*",)}
    if unknown := [pattern for pattern, names in chosen.items() if not names]:
        parser.error(f"no section {unknown[0]!r}; there are: {'; '.join(known)}")
    figures: dict[str, Any] = {}
    for name, measure in known.items():
        if not any(name in names for names in chosen.values()):
            continue
        begun = time.perf_counter()
        try:
            figures[name] = measure()
        except Exception as error:  # noqa: BLE001 - a peer that does not run must not cost the other figures
            figures[name] = {"failed": f"{type(error).__name__}: {error}"[:500]}
        gc.collect()
        if card is not None:
            torch.cuda.empty_cache()
        print(f"{name}: {json.dumps(figures[name])} ({time.perf_counter() - begun:.0f} s)", flush=True)
    reached = {name: one for name, one in goals(figures, plan).items() if not math.isnan(one[0])}
    for name, (found, goal) in reached.items():
        print(f"{name:<80}{found:>6.2f}   goal {goal:g}")
    record = make_record(
        "cuda",
        ("torch", "triton", "transformers"),
        {
            "measured_on_a_card": card is not None,
            "card": told_of(card),
            "copy_bytes_per_second": plan.bandwidth,
            "context": plan.context,
            "prompt": plan.prompt,
            "batch": plan.batch,
            "figures": figures,
            "goals": {name: {"found": found, "goal": goal} for name, (found, goal) in reached.items()},
        },
    )
    print(json.dumps(record))
    if args.write:
        print(write_record(record))


if __name__ == "__main__":
    main()
