"""Train falcon-tiny-instruct: `python -m models.tiny.train --seed 0 --out DIR`. About half an hour on two quiet cores.

An interrupted run goes on from its last checkpoint when the same command is given again.
"""
# ruff: noqa: T201 - a command: what it prints is its output

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import count, islice, pairwise
from pathlib import Path
from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from models.config import FalconConfig
from models.falcon import Block, Falcon
from models.tiny.dialogues import dialogue
from models.tiny.muon import Muon
from models.tiny.tokenizer import END, VOCAB_SIZE, encode, save_tokenizer, train_tokenizer

HUB_CONFIG = {
    "alibi": False,
    "apply_residual_connection_post_layernorm": False,
    "architectures": ["FalconForCausalLM"],
    "attention_dropout": 0.0,
    "bias": False,
    "bos_token_id": END,
    "eos_token_id": END,
    "hidden_dropout": 0.0,
    "hidden_size": 320,
    "initializer_range": 0.02,
    "layer_norm_epsilon": 1e-05,
    "max_position_embeddings": 2048,
    "model_type": "falcon",
    "multi_query": True,
    "new_decoder_architecture": False,
    "num_attention_heads": 5,
    "num_hidden_layers": 4,
    "num_kv_heads": 1,
    "parallel_attn": True,
    "torch_dtype": "float16",
    "use_cache": True,
    "vocab_size": VOCAB_SIZE,
}
_CHECKPOINT_EVERY = 200  # steps
_NOISE = 0.09  # of each row's standard deviation


@dataclass(frozen=True)
class Plan:
    """What one training run does; every number that the result depends on."""

    seed: int = 0
    peak_rate: float = 4e-3  # of the blocks' matrices, by Muon
    other_rate: float = 3e-3  # of embedding and norms, by AdamW
    warm_up: int = 50
    knots: tuple[tuple[int, float], ...] = ((900, 1.0), (1500, 0.6), (2400, 0.0))  # step, part of the peak rates
    noisy: int = 1500  # from this step on, the weights carry the noise of a 4-bit palette
    mixes: tuple[int, ...] = (0, 450, 1500)  # the step that each of the mixes begins at, see MIXES
    half_tokens: int = 1024  # a step takes two batches of at most this many, one a thread
    pool: int = 512  # conversations that are sorted by length together, so that batches waste little on padding
    weight_decay: float = 0.05

    @property
    def steps(self) -> int:
        """Of the whole run."""
        return self.knots[-1][0]

    def rate_at(self, step: int) -> float:
        """The part of the peak rates that a step uses: straight lines between the knots, after a linear rise."""
        if step < self.knots[0][0]:
            return min(1.0, (step + 1) / self.warm_up)
        for (begin, high), (end, low) in pairwise(self.knots):
            if step < end:
                return high + (low - high) * (step - begin) / (end - begin)
        return self.knots[-1][1]


@dataclass(frozen=True)
class Batch:
    """Conversations side by side [B, Q], padded with the end mark, and what the answers' tokens should have been.

    `scored` [N] counts positions through the flattened batch; `targets` [N] are the tokens that should follow them.
    """

    ids: Tensor
    scored: Tensor
    targets: Tensor


def batches(plan: Plan, tokenizer: Tokenizer, start: int) -> Iterator[tuple[Batch, Batch]]:
    """The plan's pairs of batches from step `start` on."""
    for mix, (begin, end) in enumerate(pairwise((*plan.mixes, plan.steps))):
        if start < end:
            halves = _batches(plan, tokenizer, mix)
            yield from islice(zip(halves, halves, strict=False), max(0, start - begin), end - begin)


def _batches(plan: Plan, tokenizer: Tokenizer, mix: int) -> Iterator[Batch]:
    """Endless batches; a pool's content depends on the seed, the mix and the pool's number alone."""
    for number in count():
        rng = Random(_seed(plan, number + 500_000 * mix))
        conversations = (dialogue(rng, mix) for _ in range(plan.pool))
        rows = sorted((encode(tokenizer, conversation) for conversation in conversations), key=lambda row: len(row[0]))
        groups: list[list[tuple[list[int], list[int], list[bool]]]] = [[]]
        for row in rows:
            if (len(groups[-1]) + 1) * len(row[0]) > plan.half_tokens and groups[-1]:
                groups.append([])
            groups[-1].append(row)
        rng.shuffle(groups)
        for group in groups:
            yield _collate(group)


def _seed(plan: Plan, number: int) -> int:
    return plan.seed * 1_000_003 + number


def _collate(rows: list[tuple[list[int], list[int], list[bool]]]) -> Batch:
    width = max(len(row[0]) for row in rows)
    ids = torch.full((len(rows), width), END)
    targets = torch.full((len(rows), width), END)
    scored = torch.zeros(len(rows), width, dtype=torch.bool)
    for index, (row_ids, row_targets, answers) in enumerate(rows):
        size = len(row_ids)
        ids[index, :size] = torch.tensor(row_ids)
        targets[index, :size] = torch.tensor(row_targets)
        scored[index, :size] = torch.tensor(answers)
    positions = scored.flatten().nonzero().squeeze(1)
    return Batch(ids, positions, targets.flatten()[positions])


def new_model(seed: int) -> Falcon:
    """An untrained model. Layers that write to the residual stream begin smaller, as there are two in each block."""
    torch.manual_seed(seed)
    config = FalconConfig.from_dict(HUB_CONFIG)
    model = Falcon(config)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2:
            residual = name.endswith(("dense.weight", "dense_4h_to_h.weight"))
            nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * config.num_layers) if residual else 0.04)
    return model


class Optimizers:
    """Muon for the matrices of the blocks, AdamW for embedding and norms; only matrices decay."""

    def __init__(self, model: Falcon, plan: Plan, pool: Executor) -> None:
        self.plan = plan
        blocks = [p for p in model.transformer.h.parameters() if p.ndim == 2]
        vectors = [p for p in model.parameters() if p.ndim < 2]
        hidden, qkv = model.config.hidden_size, model.config.qkv_features
        head = model.config.head_dim

        def parts(matrix: Tensor) -> list[int]:
            return [qkv - 2 * head, head, head] if matrix.shape == (qkv, hidden) else [matrix.shape[0]]

        self.muon = Muon(
            blocks, lr=plan.peak_rate, momentum=0.95, weight_decay=plan.weight_decay, parts=parts, pool=pool
        )
        groups = [
            {"params": [model.transformer.word_embeddings.weight], "weight_decay": plan.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ]
        self.adam = torch.optim.AdamW(groups, lr=plan.other_rate, betas=(0.9, 0.98), fused=True)

    def step(self, number: int) -> None:
        """Update all weights by their gradients with the rates of a step."""
        for optimizer, peak in ((self.muon, self.plan.peak_rate), (self.adam, self.plan.other_rate)):
            for group in optimizer.param_groups:
                group["lr"] = peak * self.plan.rate_at(number)
            optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {"muon": self.muon.state_dict(), "adam": self.adam.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.muon.load_state_dict(state["muon"])
        self.adam.load_state_dict(state["adam"])


def answer_loss(model: Falcon, batch: Batch) -> Tensor:
    """The summed loss of the answers' tokens. Head and last MLP are computed at the positions before those alone."""
    transformer = model.transformer
    hidden = transformer.word_embeddings(batch.ids)
    step = transformer.make_step(batch.ids.shape[0], batch.ids.shape[1], hidden.dtype)
    for block in transformer.h[:-1]:
        hidden = block(hidden, step)
    last = transformer.h[-1]
    assert isinstance(last, Block)
    normed = last.input_layernorm(hidden)
    attended = last.self_attention(normed, step)
    hidden, normed, attended = (t.flatten(0, 1)[batch.scored] for t in (hidden, normed, attended))
    logits = model.lm_head(transformer.ln_f(last.mlp(normed) + attended + hidden))
    return F.cross_entropy(logits, batch.targets, reduction="sum")


def train_step(state: TrainingState, pair: tuple[Batch, Batch], *, noisy: bool) -> float:
    """One update from two batches, each on its own thread; returns the mean loss of the answers' tokens.

    A noisy step computes its gradients at weights that are off as a 4-bit palette's are, and applies them to the true.
    """
    model = state.model
    parameters = list(model.parameters())
    shifts = _add_noise(model) if noisy else []

    def half(batch: Batch) -> tuple[float, tuple[Tensor, ...]]:
        loss = answer_loss(model, batch)
        return loss.item(), torch.autograd.grad(loss, parameters)

    # Set here, not in each thread: the choice of kernel is one for the whole process. On sequences this short the
    # plain one takes half the time of the fused.
    with sdpa_kernel(SDPBackend.MATH):
        (loss, gradients), (other_loss, others) = state.pool.map(half, pair)
    tokens = sum(len(batch.targets) for batch in pair)
    with torch.no_grad():
        for weight, shift in shifts:
            weight -= shift
        for parameter, gradient, other in zip(parameters, gradients, others, strict=True):
            parameter.grad = gradient.add_(other).div_(tokens)
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    state.optimizers.step(state.step)
    return (loss + other_loss) / tokens


@torch.no_grad()
def _add_noise(model: Falcon) -> list[tuple[Tensor, Tensor]]:
    shifts: list[tuple[Tensor, Tensor]] = []
    for module in model.transformer.h.modules():
        if isinstance(module, nn.Linear):
            weight = module.weight
            even = torch.empty_like(weight).uniform_(-_NOISE * math.sqrt(3), _NOISE * math.sqrt(3))
            shift = even.mul_(weight.std(dim=1, keepdim=True))
            weight += shift
            shifts.append((weight, shift))
    return shifts


class TrainingState:
    """One run's model, optimizer and progress, and the file that keeps them while it lasts."""

    def __init__(self, plan: Plan, file: Path) -> None:
        self.file = file
        self.plan = {**asdict(plan), **{key: HUB_CONFIG[key] for key in ("hidden_size", "num_hidden_layers")}}
        self.model = new_model(plan.seed)
        self.pool = ThreadPoolExecutor(2)
        self.optimizers = Optimizers(self.model, plan, self.pool)
        self.step, self.seconds, self.processor_seconds = 0, 0.0, 0.0

    def resume(self) -> None:
        """Go on where an earlier run of the same plan stopped; another plan's file is ignored."""
        if not self.file.exists():
            return
        state = torch.load(self.file, weights_only=True)
        if state["plan"] == self.plan:
            self.model.load_state_dict(state["model"])
            self.optimizers.load_state_dict(state["optimizers"])
            self.step, self.seconds = state["step"], state["seconds"]
            self.processor_seconds = state["processor_seconds"]

    def save(self) -> None:
        """Write the file whole, or leave the old one."""
        state = {"model": self.model.state_dict(), "optimizers": self.optimizers.state_dict(), "plan": self.plan}
        beside = self.file.with_suffix(".part")
        times = {"seconds": self.seconds, "processor_seconds": self.processor_seconds}
        torch.save({**state, **times, "step": self.step}, beside)
        beside.replace(self.file)


def train(plan: Plan, tokenizer: Tokenizer, state: TrainingState) -> Iterator[str]:
    """Run the plan from where `state` stands, saving it on the way. Yields progress lines."""
    torch.set_num_threads(1)  # a step has two threads of its own, which wait for each other twice, not at every product
    began, mean = time.perf_counter() - state.seconds, math.nan
    processor_began = time.process_time() - state.processor_seconds
    for pair in batches(plan, tokenizer, state.step):
        torch.manual_seed(_seed(plan, state.step))  # the noise of a resumed run is that of an unbroken one
        noisy = state.step >= plan.noisy
        loss = train_step(state, pair, noisy=noisy)
        mean = loss if math.isnan(mean) else 0.98 * mean + 0.02 * loss
        state.step += 1
        state.seconds = time.perf_counter() - began
        state.processor_seconds = time.process_time() - processor_began
        if state.step % 50 == 0:
            rate = state.step / state.seconds
            left = (plan.steps - state.step) / rate / 60
            yield (
                f"step {state.step}/{plan.steps}  loss {mean:.4f}  {rate:.2f} steps/s  {left:.1f} min left  "
                f"{state.processor_seconds / 60:.1f} min of processor time"
            )
        if state.step % _CHECKPOINT_EVERY == 0:
            state.save()


def save_model(model: Falcon, out: Path) -> None:
    """Write weights in float16 and the configuration files, in the Hub's layout."""
    tensors = {name: p.detach().to(torch.float16).contiguous() for name, p in model.named_parameters()}
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    generation = {"_from_model_config": True, "bos_token_id": END, "eos_token_id": END}
    for name, content in (("config.json", HUB_CONFIG), ("generation_config.json", generation)):
        (out / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def main() -> int:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    plan = Plan(seed=arguments.seed)
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer(plan.seed)
    save_tokenizer(tokenizer, out)
    state = TrainingState(plan, out / "training.pt")
    state.resume()
    try:
        for line in train(plan, tokenizer, state):
            print(line, flush=True)
    except KeyboardInterrupt:
        print(f"Stopped near step {state.step}; the same command goes on from the last save.")
        return 130
    save_model(state.model, out)
    state.file.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
