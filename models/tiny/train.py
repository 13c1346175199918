"""Train falcon-tiny-instruct: `python -m models.tiny.train --seed 0 --out DIR`. About half an hour on two cores.

An interrupted run goes on from its last checkpoint when the same command is given again.
"""
# ruff: noqa: T201 - a command: what it prints is its output

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count, islice
from pathlib import Path
from random import Random

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from models.config import FalconConfig
from models.falcon import Falcon
from models.tiny.dialogues import dialogue
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
class Stage:
    """A part of the run with a learning rate that rises and falls, and a mix of topics."""

    steps: int
    peak_rate: float
    warm_up: int
    mix: int  # of topics, see dialogue()
    noisy_part: float = 0.3  # of the steps, at the end, in which the weights carry the noise of a 4-bit palette


@dataclass(frozen=True)
class Plan:
    """What one training run does; every number that the result depends on."""

    seed: int = 0
    stages: tuple[Stage, ...] = (
        Stage(steps=5500, peak_rate=2e-3, warm_up=300, mix=0),
        Stage(steps=5000, peak_rate=1.2e-3, warm_up=100, mix=1),
    )
    batch_tokens: int = 1024
    pool: int = 512  # conversations that are sorted by length together, so that batches waste little on padding
    weight_decay: float = 0.05
    question_weight: float = 0.05  # of a question's tokens in the loss; an answer's weigh 1

    @property
    def steps(self) -> int:
        """Of all stages."""
        return sum(stage.steps for stage in self.stages)

    def at(self, step: int) -> tuple[int, int]:
        """Number of the stage that a step belongs to, and the step's number in it."""
        for number, stage in enumerate(self.stages):
            if step < stage.steps:
                return number, step
            step -= stage.steps
        raise IndexError("the plan has no such step")


@dataclass(frozen=True)
class Batch:
    """Conversations side by side, padded with the end mark: [B, Q] each."""

    ids: Tensor
    targets: Tensor
    weights: Tensor


def batches(plan: Plan, tokenizer: Tokenizer, start: int) -> Iterator[Batch]:
    """The plan's batches from step `start` on."""
    if start >= plan.steps:
        return
    first, skip = plan.at(start)
    for number in range(first, len(plan.stages)):
        stage = plan.stages[number]
        endless = _batches(plan, tokenizer, _seed(plan, number * 500_000), mix=stage.mix)
        yield from islice(endless, skip, stage.steps)
        skip = 0


def _batches(plan: Plan, tokenizer: Tokenizer, seed: int, *, mix: int) -> Iterator[Batch]:
    """Endless batches; a pool's content depends on the seed and the pool's number alone."""
    for number in count():
        rng = Random(seed + number)
        conversations = (dialogue(rng, mix) for _ in range(plan.pool))
        rows = sorted((encode(tokenizer, conversation) for conversation in conversations), key=lambda row: len(row[0]))
        groups: list[list[tuple[list[int], list[int], list[bool]]]] = [[]]
        for row in rows:
            if (len(groups[-1]) + 1) * len(row[0]) > plan.batch_tokens and groups[-1]:
                groups.append([])
            groups[-1].append(row)
        rng.shuffle(groups)
        for group in groups:
            yield _collate(group, plan.question_weight)


def _seed(plan: Plan, number: int) -> int:
    return plan.seed * 1_000_003 + number


def _collate(rows: list[tuple[list[int], list[int], list[bool]]], question_weight: float) -> Batch:
    width = max(len(row[0]) for row in rows)
    ids = torch.full((len(rows), width), END)
    targets = torch.full((len(rows), width), END)
    weights = torch.zeros(len(rows), width)
    for index, (row_ids, row_targets, answers) in enumerate(rows):
        size = len(row_ids)
        ids[index, :size] = torch.tensor(row_ids)
        targets[index, :size] = torch.tensor(row_targets)
        weights[index, :size] = torch.where(torch.tensor(answers), 1.0, question_weight)
    return Batch(ids, targets, weights)


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


def make_optimizer(model: Falcon, plan: Plan) -> torch.optim.AdamW:
    """AdamW; norms are not decayed."""
    matrices = [p for p in model.parameters() if p.ndim == 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": plan.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=plan.stages[0].peak_rate, betas=(0.9, 0.98), fused=True)


def rate_at(step: int, stage: Stage) -> float:
    """Learning rate at a step of a stage: a linear rise, then a cosine to nothing."""
    if step < stage.warm_up:
        return stage.peak_rate * (step + 1) / stage.warm_up
    part = (step - stage.warm_up) / max(1, stage.steps - stage.warm_up)
    return stage.peak_rate * (0.5 + 0.5 * math.cos(math.pi * part))


def train_step(model: Falcon, optimizer: torch.optim.Optimizer, batch: Batch, *, noisy: bool) -> float:
    """One update; returns the mean loss of the answers' tokens, questions counted by their weight.

    A noisy step computes its gradients at weights that are off as a 4-bit palette's are, and applies them to the true.
    """
    shifts = _add_noise(model) if noisy else []
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(batch.ids)
    losses = F.cross_entropy(logits.flatten(0, 1).float(), batch.targets.flatten(), reduction="none")
    loss = (losses * batch.weights.flatten()).sum() / batch.weights.sum()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for weight, shift in shifts:
            weight -= shift
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


@torch.no_grad()
def _add_noise(model: Falcon) -> list[tuple[Tensor, Tensor]]:
    shifts: list[tuple[Tensor, Tensor]] = []
    for module in model.transformer.h.modules():
        if isinstance(module, nn.Linear):
            weight = module.weight
            shift = torch.randn_like(weight) * (_NOISE * weight.std(dim=1, keepdim=True))
            weight += shift
            shifts.append((weight, shift))
    return shifts


class TrainingState:
    """One run's model, optimizer and progress, and the file that keeps them while it lasts."""

    def __init__(self, plan: Plan, file: Path) -> None:
        self.file = file
        self.plan = {**asdict(plan), **{key: HUB_CONFIG[key] for key in ("hidden_size", "num_hidden_layers")}}
        self.model = new_model(plan.seed)
        self.optimizer = make_optimizer(self.model, plan)
        self.step, self.seconds = 0, 0.0

    def resume(self) -> None:
        """Go on where an earlier run of the same plan stopped; another plan's file is ignored."""
        if not self.file.exists():
            return
        state = torch.load(self.file, weights_only=True)
        if state["plan"] == self.plan:
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.seconds = state["step"], state["seconds"]

    def save(self) -> None:
        """Write the file whole, or leave the old one."""
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "plan": self.plan}
        beside = self.file.with_suffix(".part")
        torch.save({**state, "step": self.step, "seconds": self.seconds}, beside)
        beside.replace(self.file)


def train(plan: Plan, tokenizer: Tokenizer, state: TrainingState) -> Iterator[str]:
    """Run the plan from where `state` stands, saving it on the way. Yields progress lines."""
    began, mean = time.perf_counter() - state.seconds, math.nan
    for batch in batches(plan, tokenizer, state.step):
        number, local = plan.at(state.step)
        stage = plan.stages[number]
        for group in state.optimizer.param_groups:
            group["lr"] = rate_at(local, stage)
        torch.manual_seed(_seed(plan, state.step))  # the noise of a resumed run is that of an unbroken one
        noisy = local >= stage.steps * (1 - stage.noisy_part)
        loss = train_step(state.model, state.optimizer, batch, noisy=noisy)
        mean = loss if math.isnan(mean) else 0.98 * mean + 0.02 * loss
        state.step += 1
        state.seconds = time.perf_counter() - began
        if state.step % 50 == 0:
            rate = state.step / state.seconds
            left = (plan.steps - state.step) / rate / 60
            yield f"step {state.step}/{plan.steps}  loss {mean:.4f}  {rate:.2f} steps/s  {left:.1f} min left"
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
    torch.set_num_threads(2)
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
