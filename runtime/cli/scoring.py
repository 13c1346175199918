"""What `perplexity` and `compare` share: the text, its windows, the models."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TextIO

from runtime.backends.base import Backend
from runtime.bounded import read_bounded
from runtime.cli.folders import EMBEDDED, model_folder
from runtime.cli.measuring import TextOptions
from runtime.cli.place import Place
from runtime.cli.progress import ProgressLine
from runtime.cli.text import given_text, input_text
from runtime.errors import OptionError
from runtime.measure.models import OpenModel, open_model
from runtime.measure.windows import DEFAULT_CONTEXT, Window, make_windows

OWN_TEXT = Path(__file__).resolve().parents[2] / "models" / "tiny" / "held-out.txt"


def read_text(options: TextOptions, model: Path | None, stdin: TextIO) -> str:
    """The text to score on. Raises OptionError where none is named and `model` is not the embedded one, and for a file
    that cannot be read; TokenizerError for what is no UTF-8."""
    if options.text == "-":
        return given_text(stdin.buffer)
    if options.text is not None:
        try:
            data = read_bounded(Path(options.text))
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            said = error.strerror if isinstance(error, OSError) else error
            raise OptionError(
                f"--text {options.text} cannot be read ({said}); name a text file, or - for the input."
            ) from None
        return input_text(data, options.text)
    if model is not None and str(model) != EMBEDDED:
        raise OptionError(
            f"Name a text with --text FILE, or - for the input; only the embedded model {EMBEDDED} has one of its own."
        )
    return OWN_TEXT.read_text(encoding="utf-8")


def open_named(named: Path | None, place: Place, progress: ProgressLine, err: TextIO) -> OpenModel:
    """The model in a folder that the user named; None is the embedded one."""
    folder = model_folder(named, err)
    progress.say(f"Loading {folder.name} ...")
    return open_model(folder, backend=place.backend, compute_units=place.compute_units)


def windows_for(options: TextOptions, tokens: int, *backends: Backend[Any]) -> tuple[list[Window], int]:
    """Windows that fit every backend, and how long one is. Raises OptionError."""
    most = min(backend.context_length for backend in backends)
    context = min(DEFAULT_CONTEXT, most) if options.context is None else options.context
    if context > most:
        raise OptionError(f"--context {context:,} is more than the model's context of {most:,}; choose less.")
    return make_windows(tokens, context=context, stride=options.stride), context


def window_words(options: TextOptions, tokens: int, windows: int, context: int) -> str:
    """How the text was cut, for people."""
    cut = "the second half of each" if options.stride is None else f"{options.stride:,} tokens apart"
    plural = "" if windows == 1 else "s"
    return f"{tokens:,} tokens scored in {windows:,} window{plural} of {context:,}, {cut}"
