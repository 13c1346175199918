"""Thoughts: what a model wrote between <think> and </think> before its answer, where the service left it in the text.

DeepSeek's and Qwen's models write so. Most services take it out and send it apart; those without a parser for the
model, and Ollama's older versions, send it as the answer's beginning.
"""

from __future__ import annotations

_BEGIN, _END = "<think>", "</think>"


class Thoughts:
    """Feed the text that comes, get what of it is thought and what is answer. Held back is only what may be a tag.

    White space that sets thoughts apart belongs to neither. A tag after the first word is part of the answer.
    """

    def __init__(self, *, sought: bool = True) -> None:
        """`sought`: else all text is answer."""
        self.found = False
        self._held = ""
        self._skips_space = False  # nothing was said since the last tag
        self._thinks: bool | None = None if sought else False  # None: the text has not begun

    def feed(self, text: str) -> tuple[str, str]:
        """Thought and answer, as much of both as is certain and was not handed on yet."""
        if self._thinks is False:
            return "", self._skipped(text)
        self._held += text
        if self._thinks is None:
            begun = self._held.lstrip()
            if len(begun) < len(_BEGIN) and _BEGIN.startswith(begun):
                return "", ""
            self._thinks = self.found = begun.startswith(_BEGIN)
            if not self._thinks:
                return "", self._taken()
            self._held, self._skips_space = begun[len(_BEGIN) :], True
        return self._split()

    def finish(self) -> tuple[str, str]:
        """The rest, at the end of the text."""
        text = self._taken()
        return (self._skipped(text), "") if self._thinks else ("", text)

    def _split(self) -> tuple[str, str]:
        thought, tag, answer = self._taken().partition(_END)
        if tag:
            thought = self._skipped(thought).rstrip()
            self._thinks, self._skips_space = False, True
            return thought, self._skipped(answer)
        kept = len(thought.rstrip())  # white space before the closing tag belongs to neither
        tail = next((size for size in range(len(_END) - 1, 0, -1) if thought[:kept].endswith(_END[:size])), 0)
        certain = len(thought[: kept - tail].rstrip())
        self._held = thought[certain:]
        return self._skipped(thought[:certain]), ""

    def _taken(self) -> str:
        text, self._held = self._held, ""
        return text

    def _skipped(self, text: str) -> str:
        if self._skips_space:
            text = text.lstrip()
            self._skips_space = not text
        return text
