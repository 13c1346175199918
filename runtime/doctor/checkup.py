"""The whole examination: the interpreter first, then every other backend, each in a child of its own."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from runtime.bundle import Bundle
from runtime.colours import has_colours
from runtime.doctor import judgement, report
from runtime.doctor.machine import machine, versions
from runtime.doctor.plan import (
    CANDIDATES,
    REFERENCE,
    TEXTS,
    Candidate,
    Feed,
    Job,
    followed,
    is_large,
    make_feeds,
    make_speed,
)
from runtime.doctor.recommendation import recommend
from runtime.doctor.runner import End, Limits, Notice, Run, run
from runtime.errors import BackendUnavailableError, OptionError
from runtime.tokenizer import Tokenizer
from runtime.whole import write_whole


def run_doctor(
    folder: str | Path,
    json_path: Path | None,
    out: TextIO,
    err: TextIO,
    *,
    reference: Candidate = REFERENCE,
    candidates: Sequence[Candidate] = CANDIDATES,
    limits: Limits | None = None,
) -> int:
    """Examine the bundle in `folder`: findings go to `out`, progress to `err`, the report for a bug to `json_path`.

    Returns 0 if all that could be checked is right, 1 if something is wrong, after one sentence on `err`.
    Raises BundleError and TokenizerError for a bundle that is none, BackendUnavailableError where the interpreter that
    all is compared with cannot run, OptionError for a `json_path` that cannot be.
    """
    if json_path is not None and not _can_be_file(json_path):
        raise OptionError(f"--json {json_path} is no place for a file; name one in a folder that may be written.")
    bundle = Bundle.open(folder)
    progress = _Progress(err)
    with contextlib.closing(progress):
        findings = _examine(bundle, reference, candidates, limits or Limits(), progress)
    out.write(report.as_text(findings) + "\n")
    out.flush()
    if json_path is not None:
        text = report.as_json(findings, _places(bundle))
        write_whole(json_path, [text.encode("utf-8", errors="xmlcharrefreplace")], mode=0o644)
    if findings.faults:
        err.write(f"error: {' '.join(report.fault_sentence(findings).split())}\n")
        return 1
    return 0


def _examine(
    bundle: Bundle, reference: Candidate, candidates: Sequence[Candidate], limits: Limits, progress: _Progress
) -> report.Findings:
    manifest = bundle.manifest
    tokenizer = Tokenizer.open(bundle.folder)
    prompts = [tokenizer.encode(text) for text in TEXTS]
    feeds = make_feeds(prompts, context_length=manifest.context_length, large=is_large(manifest))
    with tempfile.TemporaryDirectory(prefix="falconet-doctor-") as folder:
        scores = Path(folder) / "scores"
        job = Job(folder=str(bundle.folder.absolute()), opener=reference.opener, scores=str(scores), feeds=feeds)
        first = run(job, limits, progress.for_one(reference.name))
        if first.end is End.UNAVAILABLE:
            raise BackendUnavailableError(
                f"The doctor compares with the interpreter, which cannot run here: {first.reason}."
            )
        standard = judgement.judge_reference(reference, first, rows=job.rows, vocab_size=manifest.vocab_size)
        verdicts = []
        if standard.status is judgement.Status.OK:
            feeds = followed(feeds, first.continuations)
            verdicts = _try_all(bundle, candidates, feeds, first, scores, limits, progress)
    sizes = sum(entry.bytes for entry in manifest.files.values())
    weights = "mixed" if manifest.recipe.get("formats") else str(manifest.recipe.get("linear", "unknown"))
    return report.Findings(
        bundle={
            "name": manifest.name,
            "sha256": bundle.hash,
            "format_version": manifest.format_version,
            "bytes": sizes,
            "weights": weights,
            "context_length": manifest.context_length,
            "vocab_size": manifest.vocab_size,
            "chat_template": manifest.chat_template,
            "tools": dict(manifest.tools),
        },
        machine=machine(),
        versions=versions(),
        reference=standard,
        verdicts=verdicts,
        recommendation=recommend(verdicts, weights=weights, bundle_bytes=sizes),
    )


def _try_all(
    bundle: Bundle,
    candidates: Sequence[Candidate],
    feeds: tuple[Feed, ...],
    reference: Run,
    scores: Path,
    limits: Limits,
    progress: _Progress,
) -> list[judgement.Verdict]:
    """Each candidate in turn. What keeps a backend from running at all is asked once, not for each compute unit."""
    speed = make_speed(bundle.manifest.context_length, limits.measure_seconds)
    refused: dict[str, Run] = {}
    verdicts = []
    for candidate in candidates:
        job = Job(
            folder=str(bundle.folder.absolute()),
            opener=candidate.opener,
            scores=str(scores),
            feeds=feeds,
            speed=speed,
            reload=True,
        )
        scores.unlink(missing_ok=True)
        result = refused.get(candidate.backend) or run(job, limits, progress.for_one(candidate.name))
        if result.end is End.UNAVAILABLE:
            refused[candidate.backend] = result
        verdicts.append(judgement.judge(candidate, result, reference.scores, feeds=feeds))
        result.scores = result.scores[:0].copy()  # judged; of a large vocabulary they are many megabytes
    return verdicts


class _Progress:
    """One line on a terminal, which each step replaces; elsewhere a line for each backend and each of its phases."""

    def __init__(self, err: TextIO) -> None:
        self._err = err
        self._live = err.isatty() and has_colours()

    def for_one(self, name: str) -> Notice:
        """What the backend `name` reports to."""

        def notice(words: str) -> None:
            if self._live:
                self._err.write(f"\r\x1b[K{name}: {words}")
            elif not words.startswith("scored"):
                self._err.write(f"{name}: {words}\n")
            self._err.flush()

        return notice

    def close(self) -> None:
        """Leave the line empty for what comes next."""
        if self._live:
            self._err.write("\r\x1b[K")
            self._err.flush()


def _places(bundle: Bundle) -> dict[str, str]:
    return {str(path): "<bundle>" for path in (bundle.folder.absolute(), bundle.folder.resolve())}


def _can_be_file(path: Path) -> bool:
    folder = path.resolve().parent
    return folder.is_dir() and os.access(folder, os.W_OK) and (path.is_file() or not path.exists())
