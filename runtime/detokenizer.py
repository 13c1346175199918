"""Detokenizer: token ids to text while they are written, in whole characters, up to a stop text.

Linear in what is written: no id is decoded twice, and no more text is held than a stop text is long.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from runtime.errors import OptionError
from runtime.tokenizer import END_OF_TEXT, Tokenizer


class StopMatcher:
    """Passes text on until one of the `stops` has been written; holds back an ending that may grow into one.

    The stop that is complete first wins, of two that end together the longer one: the result does not depend on how
    the text is cut into pieces. What stands before END_OF_TEXT in a stop is also left out where the text ends there by
    itself.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        if isinstance(stops, str) or not all(isinstance(stop, str) for stop in stops):
            raise OptionError("stop must be a list of texts.")
        if not all(stops):
            raise OptionError("A stop text must not be empty: it would end every answer before it begins.")
        self._stops = tuple(stops)
        self._held = ""
        self.found: str | None = None

    def push(self, text: str) -> str:
        """What may be shown now that `text` has been written. Nothing more once a stop was found."""
        if self.found is not None:
            return ""
        self._held += text
        matches = [(self._held.find(stop), stop) for stop in self._stops]
        ends = [(start + len(stop), start, stop) for start, stop in matches if start >= 0]
        if ends:
            _, start, self.found = min(ends)
            shown, self._held = self._held[:start], ""
            return shown
        keep = max((_overlap(self._held, stop) for stop in self._stops), default=0)
        cut = len(self._held) - keep
        shown, self._held = self._held[:cut], self._held[cut:]
        return shown

    def finish(self, *, cut: bool = False) -> str:
        """What was held back: no more text comes, so a false start of a stop is text, unless the end completes it.
        Where the text was `cut`, it has no end yet."""
        shown, self._held = self._held, ""
        if cut:
            return shown
        ends = [stop.removesuffix(END_OF_TEXT) for stop in self._stops if stop.endswith(END_OF_TEXT)]
        return shown[: min((len(shown) - len(end) for end in ends if shown.endswith(end)), default=len(shown))]


class Detokenizer:
    """Text of the tokens pushed so far, in pieces that end between characters. One object an answer.

    Control tokens have no text here. Bytes that are no UTF-8 become U+FFFD, as in the library's decoder; a character
    that is still unfinished at the end is left out. With `trim`, white space around the whole text is left out too, but
    where the text `goes_on` from another that before it is kept. With `skip_space`, one space at its begin is left out.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        stop: Sequence[str] = (),
        trim: bool = False,
        goes_on: bool = False,
        skip_space: bool = False,
    ) -> None:
        self._tokenizer = tokenizer
        self._characters = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._matcher = StopMatcher(stop)
        self._trim = trim
        self._space = ""  # with trim: white space at the end of what was shown, due when more text comes
        self._skip_space = skip_space
        self._begun = goes_on

    @property
    def stop_text(self) -> str | None:
        """The stop text that was written; None until then."""
        return self._matcher.found

    def push(self, token: int) -> str:
        """What may be shown after `token`, often nothing. Raises TokenizerError for an unknown id."""
        if token in self._tokenizer.control_ids:
            return ""
        return self._trimmed(self._matcher.push(self._characters.decode(self._tokenizer.token_bytes(token))))

    def finish(self, *, cut: bool = False) -> str:
        """What was held back. The text ends here, or was `cut` before whoever writes it had come to an end."""
        return self._trimmed(self._matcher.finish(cut=cut))

    def _trimmed(self, text: str) -> str:
        if self._skip_space and text:
            self._skip_space = False
            text = text.removeprefix(" ")
        if not self._trim:
            return text
        text = self._space + text if self._begun else text.lstrip()
        shown = text.rstrip()
        self._begun = self._begun or bool(shown)
        self._space = text[len(shown) :]
        return shown


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that is a beginning of `stop`, shorter than all of it."""
    for size in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:size]):
            return size
    return 0
