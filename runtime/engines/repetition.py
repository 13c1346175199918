"""Repetition: the beginning of an answer that a service writes once more where it was asked to go on.

vLLM, TGI, SGLang, llama.cpp's server and Ollama go on from the last message. OpenAI and others take it for a turn that
is over and answer anew, and some that do go on send the beginning along: either way the text would stand there twice.
"""

from __future__ import annotations

_LEAST = 12  # characters: a shorter beginning may come again in any text, as the next item of a list


class Repetition:
    """Feed the text that comes, get what is new of it. Text is held back only as long as all of it is the beginning of
    the answer; what then differs was no repetition, and is handed on whole."""

    def __init__(self, opening: str) -> None:
        """`opening`: what the answer says already; with an empty one nothing is held back."""
        self._opening = opening
        self._held = ""
        self._decided = len(opening) < _LEAST
        self.found = False  # the opening came again and was left out

    def feed(self, text: str) -> str:
        """What of all text so far is new and was not handed on yet."""
        if self._decided:
            return text
        self._held += text
        if self._opening.startswith(self._held) and len(self._held) < len(self._opening):
            return ""
        self._decided = True
        self.found = self._held.startswith(self._opening)
        text, self._held = self._held, ""
        return text[len(self._opening) :] if self.found else text

    def finish(self) -> str:
        """What is still held, at the answer's end: nothing where so much of the beginning came again that it is one."""
        text, self._held = self._held, ""
        self.found = self.found or len(text) >= _LEAST
        return "" if self.found else text
