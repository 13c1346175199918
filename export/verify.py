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
from export.pages import MappedArrays
from export.progress import Progress
from export.recipes import Tolerance
from export.reference import ReferenceModel, WeightReader
from models.checkpoint import expected_shapes
from models.config import FalconConfig
from runtime.backends.program import CHUNK, causal_mask
from runtime.errors import UserFacingError
from runtime.mil import Program

_SMALL_WEIGHTS = 1 << 29  # 2 GiB expanded
_LARGE_BUDGET = 1 << 28  # bytes: of weights that are used once a predict, keeping some saves next to nothing
_HALF_MAX = 65504


class VerificationError(UserFacingError):
    """A package that is not what its weights say, or strays further from its source than the recipe allows."""


class QualityError(VerificationError):
    """A package that is right, of weights that stray too far: who accepts more can go on from them."""


@dataclass(frozen=True, kw_only=True)
class Parity:
    """What verification measured; a share is between 0 and 1."""

    package_positions: int  # scored by the package
    exact_max_kl: float  # package against torch on the same weights, largest of these positions
    rounding_max_kl: float | None  # what rounding keys and values to float16 does in torch; None where nobody asked
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
    """Compare on `probes` (token ids), of which the last is long. Raises VerificationError beyond the tolerance."""
    large = _is_large(config)
    feeds = plan_feeds(probes, large=large)
    layers = config.num_layers + 1
    progress.start("verify", 2 * layers + sum(len(f.pieces) for f in feeds), "steps")
    judged = probes[:-1] if large else probes  # the long one is there for exactness
    truth = ReferenceModel(config, original).logits(judged, progress.advance)
    twin = ReferenceModel(config, stored, as_program=True).logits(
        probes, lambda layer: progress.advance(layers + layer)
    )
    budget = _LARGE_BUDGET if large else 4 * _SMALL_WEIGHTS
    program = Program.open(package, memory_budget_bytes=budget, trace_magnitudes=True)
    pages = MappedArrays()  # of a large program, weights are read once for each predict
    for file in program.weight_files if large else ():
        pages.add(file.mapped)
    exact: list[Tensor] = []
    activations = ActivationRange(program, config)
    scored: list[tuple[list[int], Tensor]] = []  # by feed, positions and the package's logits there
    done = 2 * layers
    with pages.dropping():
        for feed in feeds:
            at, got = [], []
            for position, logits in _run(program, probes[feed.probe], feed.pieces):
                at.append(position)
                activations.update()
                got.append(logits)
                done += 1
                progress.advance(done)
            scored.append((at, torch.stack(got)))
            exact.append(divergence(twin[feed.probe][at], scored[-1][1]))
    progress.finish()
    if large:
        scored = [(list(range(len(ids))), logits) for ids, logits in zip(judged, twin, strict=False)]
    exact_max_kl = float(torch.cat(exact).max())  # one NaN makes it NaN, where Python's max may pass it over
    rounding = None if exact_max_kl <= tolerance.exact_kl else _rounding(config, stored, probes, twin)
    parity = Parity(
        package_positions=sum(len(feed.pieces) for feed in feeds),
        exact_max_kl=exact_max_kl,
        rounding_max_kl=rounding,
        quality_by="torch" if large else "package",
        largest_activation=activations.largest,
        activations=activations.to_json(),
        **_quality(truth, scored, judged),
    )
    _judge(parity, tolerance)
    return parity


def _rounding(
    config: FalconConfig, stored: WeightReader, probes: Sequence[Sequence[int]], rounded: list[Tensor]
) -> float:
    """The largest divergence that rounding keys and values makes in torch: a very sure model may multiply one number
    that two programs round to different neighbours, as either may, until it shows."""
    plain = ReferenceModel(config, stored).logits(probes, lambda _: None)
    return float(divergence(torch.cat(rounded), torch.cat(plain)).max())


def divergence(reference: Tensor, other: Tensor) -> Tensor:
    """KL(reference || other) of each row of logits [n, V], in nats [n]."""
    p, q = (F.log_softmax(x.double(), dim=-1) for x in (reference, other))
    return (p.exp() * (p - q)).sum(-1).clamp_min(0)


def plan_feeds(probes: Sequence[Sequence[int]], *, large: bool) -> list[Feed]:
    """A third of each probe in one piece and the rest token by token; the last, which is long, as a runtime feeds it:
    a chunk, what follows, single tokens. So prefill, decoding and the steps between are seen.

    A `large` program takes seconds a predict and is fed the long one only.
    """
    *short, long = probes
    feeds = [Feed(i, (len(ids) - 2 * len(ids) // 3, *[1] * (2 * len(ids) // 3))) for i, ids in enumerate(short)]
    chunk = min(CHUNK, len(long) // 2)
    return [*([] if large else feeds), Feed(len(short), (chunk, len(long) - chunk - 2, 1, 1))]


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


def _quality(
    truth: list[Tensor], scored: list[tuple[list[int], Tensor]], probes: Sequence[Sequence[int]]
) -> dict[str, Any]:
    """Figures by probe, `truth` at all positions and what is judged at the positions named with it."""
    kl, agree, losses = [], [], []
    for all_truth, (at, ours), ids in zip(truth, scored, probes, strict=True):
        true = all_truth[at]
        kl.append(divergence(true, ours))
        agree.append(true.argmax(-1) == ours.argmax(-1))
        target = torch.tensor([ids[position + 1] for position in at[:-1]])  # after the last no token is known
        ours_loss, true_loss = (F.cross_entropy(x[:-1], target, reduction="none") for x in (ours, true))
        losses.append(ours_loss - true_loss)
    return {
        "quality_positions": sum(map(len, kl)),
        "mean_kl": float(torch.cat(kl).mean()),
        "p99_kl": float(torch.cat(kl).quantile(0.99)),
        "top1_agreement": float(torch.cat(agree).float().mean()),
        "perplexity_ratio": math.exp(float(torch.cat(losses).mean())),
    }


def _judge(parity: Parity, tolerance: Tolerance) -> None:
    # Written so that NaN, which compares false with everything, is refused.
    exact_limit = max(tolerance.exact_kl, parity.rounding_max_kl or 0.0)
    if not parity.exact_max_kl <= exact_limit:
        raise VerificationError(
            f"The package failed verification: its KL against torch on the same weights is {parity.exact_max_kl:.4g} "
            f"nats, beyond {exact_limit:.4g}; please report this.",
            option=" with what `python -m export --version` prints",
        )
    if not parity.largest_activation < _HALF_MAX:
        raise VerificationError(
            f"The package failed verification: its largest activation is {parity.largest_activation:.4g}, and float16 "
            f"ends at {_HALF_MAX:,}; this checkpoint cannot run in 16 bits."
        )
    if not math.isfinite(parity.mean_kl):
        raise VerificationError(
            f"The package failed verification: its mean KL against the original weights is {parity.mean_kl}, so the "
            "checkpoint computes no numbers; fetch it again."
        )
    if parity.mean_kl > tolerance.mean_kl:
        raise QualityError(
            f"The package failed verification: its mean KL against the original weights is {parity.mean_kl:.4g} nats, "
            f"beyond the {tolerance.mean_kl:g} that is accepted; choose weights of more bits.",
            option=" (--weights, --size) or a smaller --group-size, or accept it with --max-kl "
            f"{_round_up(parity.mean_kl):g} or --no-verify",
        )


def _round_up(value: float) -> float:
    """`value`, above 0, to two digits, and not below it."""
    step: float = 10.0 ** (math.floor(math.log10(value)) - 1)
    return math.ceil(value / step + 1e-9) * step
