"""`python -m export.demo`: export the embedded model, ask three questions in one conversation, print figures."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from export.pipeline import ExportOptions, export
from export.progress import TerminalProgress
from runtime.backends.choice import unavailable_reason
from runtime.chat import Message
from runtime.engine import LocalEngine
from runtime.errors import UserFacingError
from runtime.generation import Finished, TextDelta
from runtime.sampling import SamplingConfig

QUESTIONS = ("Hello! My name is Mia.", "What is the capital of France?", "What is my name?")


def main() -> int:
    """Run the demo; 0, or 1 with one line for the world's fault."""
    try:
        begun = time.perf_counter()
        folder = export(
            "falcon-tiny-instruct",
            ExportOptions(output=Path("bundles/falcon-tiny-instruct"), force=True),
            TerminalProgress(sys.stderr),
        )
        seconds = time.perf_counter() - begun
        _talk(folder, seconds)
    except UserFacingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _talk(folder: Path, export_seconds: float) -> None:
    # Apple's framework where it runs, else our interpreter: both execute the saved package.
    backend = "coreml" if unavailable_reason("coreml") is None else "reference"
    engine = LocalEngine.open(folder, backend=backend)
    print(f"\n{folder} answers through its Core ML package ({backend} backend):")
    messages: list[Message] = []
    tokens = 0
    decode_seconds = 0.0
    for question in QUESTIONS:
        messages.append(Message("user", question))
        print(f"\n> {question}")
        for event in engine.chat(messages, sampling=SamplingConfig(temperature=0), max_new_tokens=64):
            if isinstance(event, TextDelta):
                print(event.text, end="", flush=True)
            elif isinstance(event, Finished):
                print()
                messages.append(Message("assistant", event.text, event.tokens))
                tokens += max(0, event.stats.new_tokens - 1)
                decode_seconds += event.stats.decode_seconds
    size = sum(entry.bytes for entry in engine.bundle.manifest.files.values())
    print(f"\nexport {export_seconds:.1f} s · bundle {size:,} bytes · {tokens / decode_seconds:.1f} tokens/s")


if __name__ == "__main__":
    sys.exit(main())
