"""Conversation: what was said so far and how the next answer is written. It asks the engine; it reads no keys."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from runtime.chat import Message
from runtime.cli.echo import no_echo
from runtime.cli.naming import options_named
from runtime.cli.output import Output
from runtime.cli.state import bring_back_state, drop_state, has_state, keep_state, state_file
from runtime.cli.transcript import Transcript, load, save
from runtime.engines.base import Engine
from runtime.errors import ChatError, OptionError
from runtime.events import Finished, FinishReason
from runtime.interrupt import StopOnInterrupt
from runtime.options import GenerationOptions

INTERRUPTED = 130


class Conversation:
    """Turns, system message and options. Whatever raises, all three stay as they were. Raises ChatError at once where
    the format has no system message, and as `set_options`."""

    def __init__(
        self, engine: Engine, output: Output, options: GenerationOptions, *, stdin: TextIO, system: str | None = None
    ) -> None:
        self.engine = engine
        self.output = output
        self.options = GenerationOptions()
        self.turns: tuple[Message, ...] = ()
        self.system: str | None = None
        self._stdin = stdin
        self._earlier: list[tuple[str, Transcript]] = []  # by what they were left
        self._unanswered: str | None = None
        self._retries = 0  # of the last question
        self._answered_by: object = None  # system message and options of the last answer
        self._held: Transcript | None = None  # what the engine's latest state is of
        self.set_system(system)
        self.set_options(options)

    @property
    def transcript(self) -> Transcript:
        """All that was said."""
        return Transcript(self.system, self.turns)

    @property
    def holds_state(self) -> bool:
        """Whether the engine's latest state is this conversation's."""
        return self._held == self.transcript

    def ask(self, text: str) -> FinishReason:
        """Stream the answer to `text`. Raises UserFacingError, and KeyboardInterrupt where Ctrl-C was pressed twice."""
        self._retries = 0
        return self._ask(text, self.turns, self.options)

    def retry(self) -> FinishReason:
        """Ask the last question again, for another answer in place of its own. Raises ChatError where there is no
        question, or where the answer would be the same."""
        turns, question = self.turns, self._unanswered
        if question is None:
            if not turns:
                raise ChatError("There is no question to ask again; write one first.")
            if self.options.sampling.greedy and self._answered_by == (self.system, self.options):
                raise ChatError("At temperature 0 the answer would be the same; `/set temperature 0.7` gives others.")
            turns, question = turns[:-2], turns[-2].content
            self._retries += 1
        options = self.options
        sampling = options.sampling
        if sampling.seed is not None and self._retries and not sampling.greedy:
            sampling = replace(sampling, seed=sampling.seed + self._retries)
            options = replace(options, sampling=sampling)
            self.output.aside(f"seed {sampling.seed}")
        return self._ask(question, turns, options)

    def undo(self) -> str:
        """Take back the last turn or, where none is left, what ended the conversation before. Returns what was done, in
        words; raises ChatError where there is nothing to take back."""
        self._unanswered, self._answered_by, self._retries = None, None, 0
        if self.turns:
            question = " ".join(self.turns[-2].content.split())
            self.turns = self.turns[:-2]
            return f"Taken back: {question if len(question) <= 60 else question[:59] + '…'}"
        if self._earlier:
            what, before = self._earlier.pop()
            self.system, self.turns = before.system, before.turns
            return f"The conversation before {what} is back."
        raise ChatError("There is nothing to take back.")

    def reset(self) -> None:
        """Begin anew, with the same system message."""
        self._leave("/reset", Transcript(self.system, ()))

    def load(self, file: Path) -> str | None:
        """Go on with the conversation in `file`, and with the engine's state where it lies beside. Returns a note where
        it does not, though it could. Raises OptionError and ChatError."""
        found = load(file)
        self._check(found.system)
        self._leave("/load", found)
        if not self.turns or not has_state(self.engine):
            return None
        if not any(message.tokens for message in found.turns) and not state_file(file).exists():
            return None  # written by another program, which never had a state
        self._held = None
        note = bring_back_state(self.engine, state_file(file))
        self._held = found if note is None else None
        return note

    def save(self, file: Path, *, replace: bool = False) -> str:
        """Write the conversation, and the engine's state beside one that `load` reads. Returns what was done, in words.
        Raises OptionError, also where nothing was said."""
        if not self.turns:
            raise OptionError("Nothing was said yet: there is nothing to save.")
        beside = state_file(file) if file.suffix.lower() == ".json" and has_state(self.engine) else None
        if beside and not replace and os.path.lexists(beside) and not os.path.lexists(file):
            raise OptionError(f"{beside} exists, where the model's state would go; `/save! {file}` replaces it.")
        save(self.transcript, file, model=self.engine.info.model, replace=replace)
        if beside is None:
            return f"Saved to {file}"
        if not self.holds_state:
            drop_state(beside)
            return f"Saved to {file}. Text only: the model's state is not that of this conversation's last answer."
        note = keep_state(self.engine, beside)
        return f"Saved to {file}. {note}" if note else f"Saved to {file}, the model's state to {beside.name}"

    def set_system(self, text: str | None) -> None:
        """What the model is told first, from the next answer on. Raises ChatError where the format has none."""
        text = text or None
        self._check(text)
        self.system = text

    def set_options(self, options: GenerationOptions) -> None:
        """How answers are written, from the next one on. Raises OptionError for what the engine is known to refuse."""
        self.engine.check_options(options)
        self.options = options

    def used_tokens(self) -> int | None:
        """Tokens before the next message; None where the service does not say."""
        count = self.engine.count_tokens([*self.transcript.messages, Message("user", ".")])
        return None if count is None else count - 1

    def _check(self, system: str | None) -> None:
        if system:
            self.engine.count_tokens([Message("system", system), Message("user", ".")])

    def _leave(self, what: str, for_: Transcript) -> None:
        if self.turns:
            self._earlier.append((what, self.transcript))
        self.system, self.turns = for_.system, for_.turns
        self._unanswered, self._answered_by, self._retries = None, None, 0

    def _ask(self, text: str, turns: tuple[Message, ...], options: GenerationOptions) -> FinishReason:
        messages = [*Transcript(self.system, turns).messages, Message("user", text)]
        self._unanswered = text
        self._held = None
        with StopOnInterrupt() as stop, no_echo(self._stdin), options_named():
            finished: Finished = self.output.stream(self.engine.chat(messages, options, cancelled=stop.requested))
        self.turns = (*turns, messages[-1], Message("assistant", finished.text, finished.tokens))
        self._unanswered = None
        self._answered_by = (self.system, self.options)
        self._held = self.transcript
        return finished.reason
