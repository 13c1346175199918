"""Backend `reference`: the saved Core ML program, run op by op by our interpreter on any machine."""

from __future__ import annotations

from runtime.backends.program import ProgramBackend
from runtime.bundle import Bundle
from runtime.mil import Program


def open_reference(bundle: Bundle) -> ProgramBackend:
    """Load `bundle` in the interpreter."""
    program = Program.open(bundle.program_path)
    manifest = bundle.manifest
    return ProgramBackend(
        "reference",
        program,
        program.new_state,
        vocab_size=manifest.vocab_size,
        context_length=manifest.context_length,
    )
