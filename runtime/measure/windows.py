"""Windows of a text, and the tokens in each that are scored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from runtime.errors import OptionError

DEFAULT_CONTEXT = 512  # as llama.cpp's tool: figures for wikitext-2 are published so
SMALLEST_CONTEXT = 4


@dataclass(frozen=True)
class Window:
    """Tokens `begin` to `end` - 1 are one sequence; `scored` to `end` - 1 are predicted from what is before them."""

    begin: int
    scored: int
    end: int

    @property
    def fed(self) -> int:
        """Tokens that the model reads: the last one is predicted only."""
        return self.end - 1 - self.begin

    @property
    def count(self) -> int:
        """Tokens that are scored."""
        return self.end - self.scored


def make_windows(tokens: int, *, context: int, stride: int | None = None) -> list[Window]:
    """Windows over a text of `tokens` tokens. Raises OptionError, which says what to change, where there are none.

    Without a stride as llama.cpp cuts: windows of `context` tokens side by side, of each the second half but its first
    token scored (255 of 512), a rest left out. With one, windows begin `stride` tokens apart and every token but the
    text's first is scored once, after at least `context` - `stride` others (Hugging Face's sliding window).
    """
    if context < SMALLEST_CONTEXT:
        raise OptionError(f"--context must be at least {SMALLEST_CONTEXT}, not {context}.")
    if stride is not None:
        return _sliding(tokens, context, stride)
    if tokens < context:
        raise OptionError(
            f"The text has {tokens:,} token{'' if tokens == 1 else 's'} and one window takes {context:,}: give a longer"
            " text, a smaller --context, or a --stride."
        )
    begins = range(0, tokens - context + 1, context)
    return [Window(begin, begin + context // 2 + 1, begin + context) for begin in begins]


def answer_windows(exchanges: Iterable[tuple[int, int]]) -> list[Window]:
    """A window for each exchange, all of them side by side: its prompt and its answer have so many tokens, and those of
    the answer are scored."""
    windows = []
    begin = 0
    for prompt, answer in exchanges:
        scored = begin + prompt
        windows.append(Window(begin, scored, scored + answer))
        begin = scored + answer
    return windows


def _sliding(tokens: int, context: int, stride: int) -> list[Window]:
    if not 1 <= stride < context:
        raise OptionError(f"--stride must be from 1 to {context - 1:,}, below --context, not {stride}.")
    if tokens < 2:
        raise OptionError("The text is too short: of at least two tokens the second can be scored.")
    windows = [Window(0, 1, min(context, tokens))]
    while windows[-1].end < tokens:
        begin = windows[-1].begin + stride
        windows.append(Window(begin, windows[-1].end, min(begin + context, tokens)))
    return windows
