"""The findings as lines for people and as JSON for a bug report."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from runtime.doctor.judgement import Agreement, Status, Verdict
from runtime.doctor.machine import anonymous
from runtime.doctor.recommendation import Recommendation
from runtime.doctor.runner import Run
from runtime.sizes import data_size, memory_size

REPORT_VERSION = 1
_LABELS = {"coreml": "Core ML", "cuda": "CUDA", "torch": "torch"}


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All that the doctor found. `bundle` describes it without its place."""

    bundle: Mapping[str, Any]
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    reference: Verdict
    verdicts: Sequence[Verdict]
    recommendation: Recommendation

    @property
    def faults(self) -> list[Verdict]:
        """What is wrong, the interpreter first."""
        return [v for v in (self.reference, *self.verdicts) if v.is_fault]


def as_text(findings: Findings) -> str:
    """Lines for people."""
    bundle, machine = findings.bundle, findings.machine
    memory = machine.get("memory_bytes")
    room = f", {memory_size(memory)} of memory" if memory else ""
    lines = [
        f"{bundle['name']}: weights {bundle['weights']}, {data_size(bundle['bytes'])}",
        f"{machine['system']} {machine['release']}, {machine['processor'] or machine['architecture']}{room}",
        "",
        *_reference_lines(findings.reference),
    ]
    told: set[str] = set()
    for verdict in findings.verdicts:
        backend = verdict.candidate.backend
        if verdict.status is not Status.UNAVAILABLE:
            lines += _lines(verdict)
        elif backend not in told:
            told.add(backend)
            lines.append(f"{_LABELS.get(backend, backend)}: not checked: {verdict.reason}")
    return "\n".join([*lines, "", *findings.recommendation.sentences])


def _reference_lines(verdict: Verdict) -> Iterator[str]:
    if verdict.status is Status.OK:
        positions = len(verdict.run.scores)
        yield f"reference: the interpreter scored {positions} positions, which the others are compared with"
        yield from _figures(verdict.run)
    else:
        yield from _lines(verdict)


def _lines(verdict: Verdict) -> Iterator[str]:
    words = verdict.reason
    if not words and verdict.agreement:
        words = _agreement_words(verdict.agreement)
    yield f"{verdict.candidate.name}: {verdict.status}{': ' if words else ''}{words}"
    yield from (f"  {hint}" for hint in verdict.hints)
    yield from _figures(verdict.run)


def _agreement_words(agreement: Agreement) -> str:
    return (
        f"the same token at {agreement.same_token} of {agreement.positions} positions, "
        f"KL {agreement.mean_kl:.1e} nats on average and {agreement.max_kl:.1e} at worst"
    )


def _figures(run: Run) -> Iterator[str]:
    parts = []
    if run.load_seconds is not None:
        again = f", again {run.second_load_seconds:.1f} s" if run.second_load_seconds is not None else ""
        parts.append(f"load {run.load_seconds:.1f} s{again}")
    if run.prefill_tokens_per_second is not None:
        parts.append(f"prompt {run.prefill_tokens_per_second:,.1f} tokens/s")
    if run.decode_tokens_per_second is not None:
        parts.append(f"answer {run.decode_tokens_per_second:,.1f} tokens/s")
    if run.peak_bytes is not None:
        parts.append(f"memory {memory_size(run.peak_bytes)} at most")
    if parts:
        yield f"  {' · '.join(parts)}"


def fault_sentence(findings: Findings) -> str:
    """One sentence on what is wrong, for the last line."""
    first = findings.faults[0]
    more = f" ({len(findings.faults) - 1} more above)" if len(findings.faults) > 1 else ""
    return f"{first.candidate.name}: {first.reason}{more}; please report this with the file that --json writes."


def as_json(findings: Findings, places: Mapping[str, str]) -> str:
    """The report for a bug, as JSON; no paths, user or machine names. `places` as for `anonymous`."""
    raw = {
        "report_version": REPORT_VERSION,
        "bundle": dict(findings.bundle),
        "machine": dict(findings.machine),
        "versions": dict(findings.versions),
        "checks": [_check(verdict, places) for verdict in (findings.reference, *findings.verdicts)],
        "recommendation": asdict(findings.recommendation),
        "wrong": [verdict.candidate.name for verdict in findings.faults],
    }
    return json.dumps(_finite(raw), indent=1, ensure_ascii=False) + "\n"


def _check(verdict: Verdict, places: Mapping[str, str]) -> dict[str, Any]:
    run = verdict.run
    return {
        "name": verdict.candidate.name,
        "status": verdict.status,
        "reason": anonymous(verdict.reason, places),
        "hints": list(verdict.hints),
        "limits": {"mean_kl": verdict.candidate.mean_kl, "max_kl": verdict.candidate.max_kl},
        "agreement": asdict(verdict.agreement) if verdict.agreement else None,
        "end": run.end,
        "phase": run.phase,
        "load_seconds": run.load_seconds,
        "second_load_seconds": run.second_load_seconds,
        "prefill_tokens_per_second": run.prefill_tokens_per_second,
        "decode_tokens_per_second": run.decode_tokens_per_second,
        "peak_bytes": run.peak_bytes,
        "log": anonymous(run.log, places) if verdict.status is not Status.OK or verdict.hints else "",
    }


def _finite(value: Any) -> Any:
    """JSON knows no NaN: null stands for it."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
