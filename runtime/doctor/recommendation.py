"""Which backend and compute unit to take, and which format of weights to try, from the verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runtime.doctor.judgement import Status, Verdict
from runtime.sizes import data_size, memory_size

_ALIKE = 0.1  # share by which two speeds may differ and still count as one
_INSTEAD_OF_MIXED = "export again with --weights int4 in place of --size and compare"
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

    `weights` is the format of the bundle's linear layers, "mixed" where codebooks of several sizes were spread.
    """
    right = [v for v in verdicts if v.status is Status.OK]
    coreml = [v for v in right if v.candidate.backend == "coreml"]
    if not right:
        return Recommendation(backend=None, unit=None, weights=None, sentences=("No backend can be recommended here.",))
    best = max(coreml or right, key=lambda v: v.run.decode_tokens_per_second or 0)
    unit = best.candidate.unit
    rate = best.run.decode_tokens_per_second
    speed = f" at {rate:.1f} tokens/s" if rate else ""
    option = f" (--compute-units {unit})" if unit else ""
    sentences = [f"Take {best.candidate.name}{option}{speed}: {_why(coreml)}."]
    if not coreml:
        return Recommendation(backend=best.candidate.backend, unit=None, weights=None, sentences=tuple(sentences))
    sentences += _about_units(coreml)
    if rate:
        sentences += _about_others([v for v in right if v not in coreml], rate)
    wanted, advice = _format_for(best, weights, bundle_bytes)
    return Recommendation(backend="coreml", unit=unit, weights=wanted, sentences=(*sentences, advice))


def _why(coreml: Sequence[Verdict]) -> str:
    if not coreml:
        return "its scores are right, and Core ML could not be used"
    others = len(coreml) - 1
    return "the fastest of the units whose scores are right" if others else "the only unit whose scores are right"


def _about_units(coreml: Sequence[Verdict]) -> Iterator[str]:
    rates = {v.candidate.unit: v.run.decode_tokens_per_second for v in coreml}
    cpu, engine = rates.get("cpu_only"), rates.get("cpu_and_ne")
    if cpu and engine and abs(engine - cpu) <= _ALIKE * cpu:
        yield "The Neural Engine is no faster than the CPU: Core ML most likely ran the program on the CPU there."


def _about_others(others: Sequence[Verdict], rate: float) -> Iterator[str]:
    other = max(others, key=lambda v: v.run.decode_tokens_per_second or 0, default=None)
    if other is not None and (faster := other.run.decode_tokens_per_second or 0) > (1 + _ALIKE) * rate:
        yield f"{other.candidate.name} was faster, at {faster:.1f} tokens/s (--backend {other.candidate.backend})."


def _format_for(best: Verdict, weights: str, bundle_bytes: int) -> tuple[str, str]:
    """The format to try, `weights` itself where nothing speaks against it, and why."""
    peak = best.run.peak_bytes
    again = "export again with --weights int4 and compare" if weights != "mixed" else _INSTEAD_OF_MIXED
    if best.candidate.unit == "cpu_and_gpu" and (weights.startswith("lut") or weights == "mixed"):
        if peak and peak > _EXPANDED * bundle_bytes:
            return "int4", (
                f"It took {memory_size(peak)} for a bundle of {data_size(bundle_bytes)}, so the GPU seems to expand "
                f"the codebooks: {again}."
            )
        return "int4", f"Mac GPUs multiply by int4 faster than they look up codebooks: {again}."
    if best.candidate.unit == "cpu_and_ne" and weights == "int4":
        return "lut4", "The Neural Engine prefers codebooks: export again with --weights lut4 and compare."
    return weights, f"Nothing speaks against the bundle's format: keep {weights}."
