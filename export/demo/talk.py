"""Export the embedded model, ask three questions in one conversation, print figures."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TextIO

from export.pipeline import ExportOptions, export
from export.progress import TerminalProgress
from runtime.backends.choice import unavailable_reason
from runtime.chat import Message
from runtime.engines.local import LocalEngine
from runtime.events import Finished, TextDelta
from runtime.options import GenerationOptions
from runtime.sampling import SamplingConfig

QUESTIONS = ("Hello! My name is Mia.", "What is the capital of France?", "What is my name?")
OPTIONS = GenerationOptions(sampling=SamplingConfig(temperature=0), max_new_tokens=64)


def run(out: TextIO) -> None:
    """Export, talk, print figures. Raises UserFacingError for the world's faults."""
    begun = time.perf_counter()
    folder = export(
        "falcon-tiny-instruct",
        ExportOptions(output=Path("bundles/falcon-tiny-instruct-lut4"), force=True),
        TerminalProgress(sys.stderr),
    )
    exported = time.perf_counter() - begun
    # Apple's framework where it runs, else our interpreter: both execute the saved package.
    backend = "coreml" if unavailable_reason("coreml") is None else "reference"
    with LocalEngine.open(folder, backend=backend) as engine:
        print(f"\n{folder} answers by its Core ML package ({backend}):", file=out)
        rate = _talk(engine, out)
        size = sum(entry.bytes for entry in engine.bundle.manifest.files.values())
    print(f"\nexport {exported:.1f} s · bundle {size:,} bytes · {rate:.1f} tokens/s", file=out)


def _talk(engine: LocalEngine, out: TextIO) -> float:
    """Ask the questions in turn; returns tokens a second of all answers, the first token of each apart."""
    messages: list[Message] = []
    tokens = 0
    seconds = 0.0
    for question in QUESTIONS:
        messages.append(Message("user", question))
        print(f"\n> {question}", file=out)
        for event in engine.chat(messages, OPTIONS):
            if isinstance(event, TextDelta):
                print(event.text, end="", flush=True, file=out)
            elif isinstance(event, Finished):
                print(file=out)
                messages.append(Message("assistant", event.text, event.tokens))
                tokens += max(0, event.stats.new_tokens - 1)
                seconds += event.stats.decode_seconds
    return tokens / seconds if seconds else 0.0
