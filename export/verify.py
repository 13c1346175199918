"""Verification: the saved package, opened again in the interpreter, against torch on the same and the original weights.

Divergences are in nats a token: KL(p || q) = Σ p (ln p - ln q), p the reference's distribution of the next token.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from export.activations import ActivationRange
from export.progress import Progress
from export.recipes import Tolerance
from export.reference import ReferenceModel, WeightReader
from models.checkpoint import expected_shapes
from models.config import FalconConfig
from runtime.backends.program import causal_mask
from runtime.errors import UserFacingError
from runtime.mil import Program

_SMALL_WEIGHTS = 1 << 29  # 2 GiB expanded
_LARGE_BUDGET = 1 << 28  # bytes: of weights that are used once a predict, keeping some saves next to nothing
_HALF_MAX = 65504


class VerificationError(UserFacingError):
    """A package that strays further from its source than the recipe allows."""


@dataclass(frozen=True, kw_only=True)
class Parity:
    """What verification measured; a share is between 0 and 1."""

    package_positions: int  # scored by the package
    exact_max_kl: float  # package against torch on the same weights, largest of these positions
    quality_positions: int  # scored for the figures below
    quality_by: str  # "package", or "torch" on the package's weights where the package is too large to run so often
    mean_kl: float  # against the original weights
    p99_kl: float
    top1_agreement: float  # share of positions whose most likely token is the original's
    perplexity_ratio: float  # over the original's, on the probes' own next tokens
    largest_activation: float  # largest magnitude any op gave; float16 ends at 65,504
    activations: Mapping[str, Any]  # the same by part of the model: embedding, layers, head

    def to_json(self) -> dict[str, Any]:
        """For the manifest."""
        return asdict(self)


@dataclass(frozen=True)
class Feed:
    """One probe through the package: its token ids, and how many of them go into each predict."""

    probe: int
    pieces: tuple[int, ...]


def verify(
    package: Path,
    config: FalconConfig,
    *,
    original: WeightReader,
    stored: WeightReader,
    probes: Sequence[Sequence[int]],
    tolerance: Tolerance,
    progress: Progress,
) -> Parity:
    """Compare on `probes` (token ids). Raises VerificationError beyond the tolerance."""
    feeds = plan_feeds(config, probes)
    layers = config.num_layers + 1
    progress.start("verify", 2 * layers + sum(len(f.pieces) for f in feeds), "steps")
    truth = ReferenceModel(config, original).logits(probes, progress.advance)
    twin = ReferenceModel(config, stored, as_program=True).logits(
        probes, lambda layer: progress.advance(layers + layer)
    )
    budget = _LARGE_BUDGET if _is_large(config) else 4 * _SMALL_WEIGHTS
    program = Program.open(package, memory_budget_bytes=budget, trace_magnitudes=True)
    exact: list[Tensor] = []
    activations = ActivationRange(program, config)
    scored: dict[int, Tensor] = {}  # the package's logits by probe
    done = 2 * layers
    for feed in feeds:
        at, got = [], []
        for position, logits in _run(program, probes[feed.probe], feed.pieces):
            at.append(position)
            activations.update()
            got.append(logits)
            done += 1
            progress.advance(done)
        exact.append(divergence(twin[feed.probe][at], torch.stack(got)))
        scored[feed.probe] = torch.stack(got)
    progress.finish()
    by_package = not _is_large(config)
    ours = twin
    if by_package:  # the package scored the last position of each piece: all from the end of the first on
        truth = [truth[feed.probe][-len(feed.pieces) :] for feed in feeds]
        ours = [scored[feed.probe] for feed in feeds]
    parity = Parity(
        package_positions=sum(len(feed.pieces) for feed in feeds),
        exact_max_kl=float(torch.cat(exact).max()),  # one NaN makes it NaN, where Python's max may pass it over
        quality_by="package" if by_package else "torch",
        largest_activation=activations.largest,
        activations=activations.to_json(),
        **_quality(truth, ours, probes),
    )
    _judge(parity, tolerance)
    return parity


def divergence(reference: Tensor, other: Tensor) -> Tensor:
    """KL(reference || other) of each row of logits [n, V], in nats [n]."""
    p, q = (F.log_softmax(x.double(), dim=-1) for x in (reference, other))
    return (p.exp() * (p - q)).sum(-1).clamp_min(0)


def plan_feeds(config: FalconConfig, probes: Sequence[Sequence[int]]) -> list[Feed]:
    """A third of each probe in one piece and the rest token by token: prefill, decoding and the step between are seen.

    A large program takes seconds a predict: there, two pieces and two tokens of one probe.
    """
    if _is_large(config):
        size = len(probes[0])
        return [Feed(0, (size // 2, size - size // 2 - 2, 1, 1))]
    return [Feed(i, (len(ids) - 2 * len(ids) // 3, *[1] * (2 * len(ids) // 3))) for i, ids in enumerate(probes)]


def _is_large(config: FalconConfig) -> bool:
    """Whether the program's weights do not fit the interpreter's memory once expanded."""
    weights = sum(math.prod(shape) for shape in expected_shapes(config).values())
    return weights > _SMALL_WEIGHTS


def _run(program: Program, ids: Sequence[int], pieces: Sequence[int]) -> Iterator[tuple[int, Tensor]]:
    """Position and the package's logits [V] there, after each piece."""
    state = program.new_state()
    end = 0
    for size in pieces:
        tokens = np.array([ids[end : end + size]], np.int32)
        end += size
        out = program.predict({"inputIds": tokens, "causalMask": causal_mask(size, end)}, state)
        yield end - 1, torch.from_numpy(out["logits"].reshape(-1))


def _quality(truth: list[Tensor], ours: list[Tensor], probes: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Figures over the last len(logits) positions of each probe."""
    kl = torch.cat([divergence(t, o) for t, o in zip(truth, ours, strict=True)])
    agree = torch.cat([t.argmax(-1) == o.argmax(-1) for t, o in zip(truth, ours, strict=True)])
    losses = []
    for t, o, ids in zip(truth, ours, probes, strict=True):
        target = torch.tensor(ids[len(ids) - len(t) + 1 :])  # of the last position no next token is known
        ours_loss, true_loss = (F.cross_entropy(x[:-1], target, reduction="none") for x in (o, t))
        losses.append(ours_loss - true_loss)
    return {
        "quality_positions": len(kl),
        "mean_kl": float(kl.mean()),
        "p99_kl": float(kl.quantile(0.99)),
        "top1_agreement": float(agree.float().mean()),
        "perplexity_ratio": math.exp(float(torch.cat(losses).mean())),
    }


def _judge(parity: Parity, tolerance: Tolerance) -> None:
    # Written so that NaN, which compares false with everything, is refused.
    if not parity.exact_max_kl <= tolerance.exact_kl:
        raise VerificationError(
            f"The package failed verification: its KL against torch on the same weights is {parity.exact_max_kl:.4g} "
            f"nats, beyond {tolerance.exact_kl:g}; please report this with what `python -m export --version` prints."
        )
    if not parity.largest_activation < _HALF_MAX:
        raise VerificationError(
            f"The package failed verification: its largest activation is {parity.largest_activation:.4g}, and float16 "
            f"ends at {_HALF_MAX:,}; this checkpoint cannot run in 16 bits."
        )
    if not parity.mean_kl <= tolerance.mean_kl:
        raise VerificationError(
            f"The package failed verification: its mean KL against the original weights is {parity.mean_kl:.4g} nats, "
            f"beyond the recipe's {tolerance.mean_kl:g}; choose more bits with --weights, or a smaller --group-size."
        )
