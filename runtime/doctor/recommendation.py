"""Which backend and compute unit to take, and which format of weights to try, from the verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runtime.doctor.judgement import Status, Verdict

_ALIKE = 0.1  # share by which two speeds may differ and still count as one
_EXPANDED = 2.5  # times the bundle's size: above it the weights were not kept compressed


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """The backend to take, the compute unit where it is Core ML, the weights' format to try, and why."""

    backend: str | None
    unit: str | None
    weights: str | None
    sentences: tuple[str, ...]


def recommend(verdicts: Sequence[Verdict], *, weights: str, bundle_bytes: int) -> Recommendation:
    """The fastest of those that are right, Core ML before others, and the format that suits it.

    `weights` is the format of the bundle's linear layers.
    """
    right = [v for v in verdicts if v.status is Status.OK]
    coreml = [v for v in right if v.candidate.backend == "coreml"]
    if not right:
        return Recommendation(backend=None, unit=None, weights=None, sentences=("No backend can be recommended here.",))
    best = max(coreml or right, key=lambda v: v.run.decode_tokens_per_second or 0)
    unit = best.candidate.unit
    rate = best.run.decode_tokens_per_second
    speed = f" at {rate:.1f} tokens/s" if rate else ""
    sentences = [f"Take {best.candidate.name}{speed}: {_why(coreml)}."]
    if not coreml:
        return Recommendation(backend=best.candidate.backend, unit=None, weights=None, sentences=tuple(sentences))
    sentences += _about_units(coreml)
    advice = _format_for(best, weights, bundle_bytes)
    if advice:
        sentences.append(advice[1])
    return Recommendation(
        backend="coreml", unit=unit, weights=advice[0] if advice else weights, sentences=tuple(sentences)
    )


def _why(coreml: Sequence[Verdict]) -> str:
    if not coreml:
        return "its scores are right, and Core ML could not be used"
    others = len(coreml) - 1
    return "the fastest of the units whose scores are right" if others else "the only unit whose scores are right"


def _about_units(coreml: Sequence[Verdict]) -> Iterator[str]:
    rates = {v.candidate.unit: v.run.decode_tokens_per_second for v in coreml}
    cpu, engine = rates.get("cpu"), rates.get("ne")
    if cpu and engine and abs(engine - cpu) <= _ALIKE * cpu:
        yield "The Neural Engine is no faster than the CPU: Core ML most likely ran the program on the CPU there."


def _format_for(best: Verdict, weights: str, bundle_bytes: int) -> tuple[str, str] | None:
    """A format to try instead of `weights`, and why."""
    peak = best.run.peak_bytes
    if best.candidate.unit == "gpu" and weights.startswith("lut"):
        if peak and peak > _EXPANDED * bundle_bytes:
            return "int4", (
                f"It took {peak / 1e9:.1f} GB for a bundle of {bundle_bytes / 1e9:.1f} GB, so the GPU seems to expand "
                "the codebooks: export again with --weights int4 and compare."
            )
        return "int4", (
            "Mac GPUs multiply by int4 faster than they look up codebooks: "
            "export again with --weights int4 and compare."
        )
    if best.candidate.unit == "ne" and weights == "int4":
        return "lut4", "The Neural Engine prefers codebooks: export again with --weights lut4 and compare."
    return None
