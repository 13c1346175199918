"""From what the children did to what it means. Pure: the same runs always give the same words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from runtime.doctor.pattern import pattern
from runtime.doctor.plan import Candidate, Feed
from runtime.doctor.runner import End, Run, Scores
from runtime.doctor.symptoms import known_symptoms

_SLOWEST = 1.0  # tokens/s that are of any use


class Status(StrEnum):
    """What a candidate is worth."""

    OK = "ok"
    WRONG = "wrong"
    CRASHED = "crashed"
    HUNG = "hung"
    SLOW = "slow"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Scores against the interpreter's: divergence KL(interpreter || other) in nats a token, NaN where not finite;
    `kl` has it position by position."""

    positions: int
    mean_kl: float
    max_kl: float
    same_token: int  # positions at which both find the same token likeliest
    finite: bool
    kl: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One candidate judged. `reason` completes "<name>: …"; it is empty where all is well."""

    candidate: Candidate
    status: Status
    run: Run
    agreement: Agreement | None = None
    reason: str = ""
    hints: tuple[str, ...] = ()

    @property
    def is_fault(self) -> bool:
        """Whether something is wrong, rather than slow or not to be had here."""
        return self.status in (Status.WRONG, Status.CRASHED, Status.HUNG)


def compare(reference: Scores, other: Scores) -> Agreement:
    """Compare scores [rows, V], as far as both go."""
    rows = min(len(reference), len(other))
    kl, same, finite = [], 0, True
    for ours, theirs in zip(reference[:rows], other[:rows], strict=True):  # row by row: 65,024 scores each
        if not np.isfinite(theirs).all():
            finite = False
            kl.append(float("nan"))
            continue
        p, q = _log_softmax(ours), _log_softmax(theirs)
        kl.append(max(float(np.sum(np.exp(p) * (p - q))), 0.0))
        same += int(ours.argmax()) == int(theirs.argmax())
    whole = finite and bool(kl)
    return Agreement(
        positions=rows,
        mean_kl=float(np.mean(kl)) if whole else float("nan"),
        max_kl=max(kl) if whole else float("nan"),
        same_token=same,
        finite=finite,
        kl=tuple(kl),
    )


def _log_softmax(row: np.ndarray[tuple[int], np.dtype[np.float32]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    shifted = row.astype(np.float64) - row.max()
    result: np.ndarray[tuple[int], np.dtype[np.float64]] = shifted - np.log(np.exp(shifted).sum())
    return result


def judge_reference(candidate: Candidate, run: Run, *, rows: int, vocab_size: int) -> Verdict:
    """The interpreter itself: whether there is anything to compare with."""
    if run.end in _ENDS:
        return _ended(candidate, run, None)
    if run.vocab_size != vocab_size:
        reason = f"it scores {run.vocab_size:,} tokens where the bundle has {vocab_size:,}"
        return Verdict(candidate=candidate, status=Status.WRONG, run=run, reason=reason)
    if len(run.scores) < rows or not np.isfinite(run.scores).all():
        reason = "it gives scores that are no numbers" if len(run.scores) == rows else "it left scores out"
        return Verdict(candidate=candidate, status=Status.WRONG, run=run, reason=reason)
    return Verdict(candidate=candidate, status=Status.OK, run=run)


def judge(candidate: Candidate, run: Run, reference: Scores, *, feeds: Sequence[Feed]) -> Verdict:
    """One candidate against the interpreter's scores [rows, V] of `feeds`. What it got wrong counts before how it
    ended."""
    rows = sum(feed.rows for feed in feeds)
    if run.end is End.UNAVAILABLE:
        return _ended(candidate, run, None)
    if run.vocab_size is not None and run.vocab_size != reference.shape[1]:
        reason = f"it scores {run.vocab_size:,} tokens where the bundle has {reference.shape[1]:,}"
        return Verdict(candidate=candidate, status=Status.WRONG, run=run, reason=reason)
    agreement = compare(reference, run.scores) if len(run.scores) else None
    wrong = _difference(candidate, agreement) if agreement else ""
    if wrong and agreement:
        how = pattern(feeds, [kl <= candidate.max_kl for kl in agreement.kl])
        return _verdict(candidate, Status.WRONG, run, agreement, wrong, how)
    if run.end in _ENDS:
        return _ended(candidate, run, agreement)
    if len(run.scores) != rows:
        reason = f"it gave {len(run.scores)} of {rows} scores"
        return _verdict(candidate, Status.WRONG, run, agreement, reason)
    rate = run.decode_tokens_per_second
    if rate is not None and rate < _SLOWEST:
        return _verdict(
            candidate, Status.SLOW, run, agreement, f"its scores are right, but it makes {rate:.2f} tokens/s"
        )
    return _verdict(candidate, Status.OK, run, agreement, "")


def _difference(candidate: Candidate, agreement: Agreement) -> str:
    if not agreement.finite:
        return "it gives scores that are NaN or infinite"
    if agreement.mean_kl <= candidate.mean_kl and agreement.max_kl <= candidate.max_kl:
        return ""
    other = agreement.positions - agreement.same_token
    return (
        f"it does not compute what the interpreter computes: KL {agreement.mean_kl:.3g} nats on average and "
        f"{agreement.max_kl:.3g} at worst, another likeliest token at {other} of {agreement.positions} positions"
    )


_ENDS = {
    End.UNAVAILABLE: Status.UNAVAILABLE,
    End.CRASHED: Status.CRASHED,
    End.HUNG: Status.HUNG,
    End.OUT_OF_TIME: Status.SLOW,
}
_PHASES = {
    "start": "while starting",
    "load": "while loading",
    "score": "while scoring",
    "speed": "while its speed was measured",
    "reload": "while loading again",
    "close": "while ending",
}


def _ended(candidate: Candidate, run: Run, agreement: Agreement | None) -> Verdict:
    status = _ENDS[run.end]
    if status is Status.UNAVAILABLE:
        return _verdict(candidate, status, run, None, run.reason)
    sofar = f"; {agreement.positions} positions before that are right" if agreement else ""
    return _verdict(candidate, status, run, agreement, f"{run.reason}, {_PHASES[run.phase]}{sofar}")


def _verdict(
    candidate: Candidate, status: Status, run: Run, agreement: Agreement | None, reason: str, how: str = ""
) -> Verdict:
    known = [] if status is Status.UNAVAILABLE else known_symptoms(f"{run.log}\n{run.reason}")
    hints = (*([how] if how else []), *known)
    return Verdict(candidate=candidate, status=status, run=run, agreement=agreement, reason=reason, hints=hints)
