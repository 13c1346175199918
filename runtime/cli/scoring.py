"""What `perplexity` and `compare` share: the text, which of its tokens are scored, the models."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
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
from runtime.manifest import Manifest
from runtime.measure.models import OpenModel, is_checkpoint, open_model
from runtime.measure.windows import DEFAULT_CONTEXT, Window, answer_windows, make_windows
from runtime.tokenizer import Tokenizer

OWN_TEXT = Path(__file__).resolve().parents[2] / "models" / "tiny" / "held-out.txt"


class Text(ABC):
    """A text to score on."""

    @abstractmethod
    def encode(self, tokenizer: Tokenizer) -> list[int]:
        """Its ids."""

    @abstractmethod
    def windows(self, tokenizer: Tokenizer, *backends: Backend[Any]) -> tuple[list[Window], int]:
        """Windows over the ids that fit every backend, and how many tokens one has at most. Raises OptionError."""

    @abstractmethod
    def words(self, tokens: int, windows: int, context: int) -> str:
        """What was scored, for people."""


class GivenText(Text):
    """What the user gave: cut into windows as `options` say."""

    def __init__(self, text: str, options: TextOptions) -> None:
        self._text = text
        self._options = options

    def encode(self, tokenizer: Tokenizer) -> list[int]:
        return tokenizer.encode(self._text)

    def windows(self, tokenizer: Tokenizer, *backends: Backend[Any]) -> tuple[list[Window], int]:
        asked, stride = self._options.context, self._options.stride
        most = min(backend.context_length for backend in backends)
        context = min(DEFAULT_CONTEXT, most) if asked is None else asked
        if context > most:
            raise OptionError(f"--context {context:,} is more than the model's context of {most:,}; choose less.")
        return make_windows(len(self.encode(tokenizer)), context=context, stride=stride), context

    def words(self, tokens: int, windows: int, context: int) -> str:
        stride = self._options.stride
        cut = "the second half of each" if stride is None else f"{stride:,} tokens apart"
        return f"{tokens:,} tokens scored in {windows:,} window{_s(windows)} of {context:,}, {cut}"


class OwnText(Text):
    """Questions that the embedded model's training held out. Answers are scored, each after its own question: of what
    users say the model was taught nothing, so any text of theirs is as unlikely to it as noise."""

    def encode(self, tokenizer: Tokenizer) -> list[int]:
        return [token for prompt, answer in self._exchanges(tokenizer) for token in (*prompt, *answer)]

    def windows(self, tokenizer: Tokenizer, *backends: Backend[Any]) -> tuple[list[Window], int]:
        windows = answer_windows((len(prompt), len(answer)) for prompt, answer in self._exchanges(tokenizer))
        longest = max(window.end - window.begin for window in windows)
        most = min(backend.context_length for backend in backends)
        if longest > most:
            raise OptionError(
                f"The embedded model's own text takes {longest:,} tokens and the context is {most:,}; "
                "name a text with --text FILE."
            )
        return windows, longest

    def words(self, tokens: int, windows: int, context: int) -> str:  # noqa: ARG002
        return f"{tokens:,} tokens of {windows:,} answer{_s(windows)} scored, each after its held-out question"

    @staticmethod
    def _exchanges(tokenizer: Tokenizer) -> Iterator[tuple[list[int], list[int]]]:
        """The ids of each question, as a chat begins with it, and of its answer."""
        for exchange in re.split(r"\n\n(?=User: )", OWN_TEXT.read_text(encoding="utf-8").strip()):
            question, mark, answer = exchange.partition("\n\nAssistant:")
            yield tokenizer.encode(question + mark), tokenizer.encode(answer)


def read_text(options: TextOptions, model: Path | None, stdin: TextIO, err: TextIO) -> Text:
    """The text to score on. Raises OptionError where none is named and `model` is no bundle of the embedded one, and
    for a file that cannot be read; BundleError where there is no model; TokenizerError for what is no UTF-8."""
    if options.text == "-":
        return GivenText(given_text(stdin.buffer), options)
    if options.text is not None:
        try:
            data = read_bounded(Path(options.text))
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            said = error.strerror if isinstance(error, OSError) else error
            raise OptionError(
                f"--text {options.text} cannot be read ({said}); name a text file, or - for the input."
            ) from None
        return GivenText(input_text(data, options.text), options)
    if model is not None and str(model) != EMBEDDED:
        folder = model_folder(model, err)
        if is_checkpoint(folder) or Manifest.read(folder).name != EMBEDDED:
            raise OptionError(
                f"Name a text with --text FILE, or - for the input; only the embedded model {EMBEDDED} has one of its "
                "own."
            )
    for option, value in (("--context", options.context), ("--stride", options.stride)):
        if value is not None:
            raise OptionError(
                f"{option} cuts a text that --text names; the embedded model's own is scored answer by answer."
            )
    return OwnText()


def open_named(named: Path | None, place: Place, progress: ProgressLine, err: TextIO) -> OpenModel:
    """The model in a folder that the user named; None is the embedded one."""
    folder = model_folder(named, err)
    progress.say(f"Loading {folder.name} ...")
    return open_model(folder, backend=place.backend, compute_units=place.compute_units)


def _s(count: int) -> str:
    return "" if count == 1 else "s"
