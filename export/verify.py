"""Verification: the saved package, opened again in the interpreter, against torch on the same and the original weights.

Divergences are in nats a token: KL(p || q) = Σ p (ln p - ln q), p the reference's distribution of the next token.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from export.progress import Progress
from export.recipes import Tolerance
from export.reference import ReadTensor, reference_logits
from models.config import FalconConfig
from runtime.backends.program import causal_mask
from runtime.errors import UserFacingError
from runtime.mil import Program


class VerificationError(UserFacingError):
    """A package that strays further from its source than the recipe allows."""


@dataclass(frozen=True, kw_only=True)
class Parity:
    """What verification measured; a share is between 0 and 1."""

    positions: int  # scored by the package
    exact_max_kl: float  # package against torch on the same weights, largest of all positions
    mean_kl: float  # package against the original weights
    p99_kl: float
    top1_agreement: float  # share of positions whose most likely token is the original's
    perplexity_ratio: float  # package's over the original's, on the probes' own next tokens
    largest_activation: float  # largest magnitude any op gave; float16 ends at 65,504

    def to_json(self) -> dict[str, Any]:
        """For the manifest."""
        return asdict(self)


def verify(
    package: Path,
    config: FalconConfig,
    *,
    original: ReadTensor,
    stored: ReadTensor,
    probes: Sequence[Sequence[int]],
    tolerance: Tolerance,
    progress: Progress,
) -> Parity:
    """Compare on `probes` (token ids). Raises VerificationError beyond the tolerance.

    Every probe's first third is fed in one piece and the rest token by token, so that prefill, decoding and the step
    from one to the other are all seen.
    """
    feeds = [_pieces(len(ids)) for ids in probes]
    passes = 2 * (config.num_layers + 1)
    progress.start("verify", passes + sum(len(f) for f in feeds), "steps")
    expected = reference_logits(config, original, probes, progress.advance)
    same = reference_logits(config, stored, probes, lambda layer: progress.advance(config.num_layers + 1 + layer))
    program = Program.open(package, trace_magnitudes=True)
    exact: list[float] = []
    kl: list[Tensor] = []
    agree: list[Tensor] = []
    loss_difference: list[float] = []
    done = passes
    for ids, pieces, truth, twin in zip(probes, feeds, expected, same, strict=True):
        at, got = _feed(program, ids, pieces)
        done += len(pieces)
        progress.advance(done)
        exact += divergence(twin[at], got).tolist()
        kl.append(divergence(truth[at], got))
        agree.append(truth[at].argmax(-1) == got.argmax(-1))
        scored = [i for i, position in enumerate(at) if position + 1 < len(ids)]
        target = torch.tensor([ids[at[i] + 1] for i in scored])
        ours = F.cross_entropy(got[scored], target, reduction="none")
        theirs = F.cross_entropy(truth[at][scored], target, reduction="none")
        loss_difference += (ours - theirs).tolist()
    progress.finish()
    all_kl = torch.cat(kl)
    parity = Parity(
        positions=len(all_kl),
        exact_max_kl=max(exact),
        mean_kl=float(all_kl.mean()),
        p99_kl=float(all_kl.quantile(0.99)),
        top1_agreement=float(torch.cat(agree).float().mean()),
        perplexity_ratio=math.exp(float(np.mean(loss_difference))),
        largest_activation=max(program.magnitudes.values()),
    )
    _judge(parity, tolerance)
    return parity


def divergence(reference: Tensor, other: Tensor) -> Tensor:
    """KL(reference || other) of each row of logits [n, V], in nats [n]."""
    p, q = (F.log_softmax(x.double(), dim=-1) for x in (reference, other))
    return (p.exp() * (p - q)).sum(-1).clamp_min(0)


def _pieces(length: int) -> list[int]:
    first = max(1, length // 3)
    return [first] + [1] * (length - first)


def _feed(program: Program, ids: Sequence[int], pieces: list[int]) -> tuple[list[int], Tensor]:
    """Positions scored, and the package's logits there [len(pieces), V]."""
    state = program.new_state()
    positions: list[int] = []
    rows: list[npt.NDArray[np.float32]] = []
    end = 0
    for size in pieces:
        tokens = np.array([ids[end : end + size]], np.int32)
        end += size
        out = program.predict({"inputIds": tokens, "causalMask": causal_mask(size, end)}, state)
        positions.append(end - 1)
        rows.append(out["logits"].reshape(-1))
    return positions, torch.from_numpy(np.stack(rows))


def _judge(parity: Parity, tolerance: Tolerance) -> None:
    limits = [
        (parity.exact_max_kl <= tolerance.exact_kl, "KL against torch on the same weights", parity.exact_max_kl),
        (parity.mean_kl <= tolerance.mean_kl, "mean KL against the original weights", parity.mean_kl),
        (parity.largest_activation < 65504, "largest activation", parity.largest_activation),
    ]
    for within, what, value in limits:
        if not within:
            raise VerificationError(
                f"The package failed verification: {what} is {value:.4g}, beyond the recipe's tolerance. "
                "Choose more bits with --weights, or a smaller --group-size."
            )
