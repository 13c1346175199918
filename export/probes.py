"""Probe prompts for verification: plain words, a question, code, other scripts, numbers, a turn of chat, a story."""

from __future__ import annotations

from tokenizers import Tokenizer

_TEXTS = (
    "The quick brown fox jumps over the lazy dog, and then it goes home to sleep until the morning.",
    "\n\nUser: What is the capital of France?\n\nAssistant: The capital of France is Paris.",
    "\n\nUser: Hello! My name is Maria.\n\nAssistant: Nice to meet you, Maria.\n\nUser: What is my name?\n\nAssistant:",
    "def mean(values):\n    return sum(values) / len(values)\n",
    "In 1969, two people walked on the Moon; 3 + 4 = 7, and 12 - 5 = 7 as well.",
    "Größe, naïve, 数学, здравствуй: a line with letters from many places.",
)
_LONG_TEXT = (
    "The lighthouse stood at the end of a long stone pier, and every evening an old woman walked out to it with a "
    "lamp in her hand. In winter the waves came over the wall, and she counted them: three small ones, a large one, "
    "and then a pause in which she could run. The fishermen knew her by name. They said that in forty years the "
    "light had failed only twice, once in the great storm of 1953, when the sea took the door, and once on the "
    "night her daughter was born. When they asked her why she still went, now that the new light on the cape turned "
    "by itself, she said that a lamp which nobody carries is only a machine, and that someone out there might be "
    "looking for this one. Then she tied her scarf, lifted the lamp, and went. On clear nights you could follow it "
    "from the village: a small yellow point that moved along the pier, stopped where the wall was low, waited for "
    "the wave, and moved on until it reached the tower and climbed, window by window, to the top."
)
_LENGTH, _LONG_LENGTH = 48, 162  # tokens of each short one that are used, and of the long one


def probe_tokens(tokenizer: Tokenizer, context_length: int) -> list[list[int]]:
    """Token ids of the probes, each at most `context_length` long; the long one comes last."""
    lengths = [*[_LENGTH] * len(_TEXTS), _LONG_LENGTH]
    return [
        tokenizer.encode(text, add_special_tokens=False).ids[: min(length, context_length)]
        for text, length in zip((*_TEXTS, _LONG_TEXT), lengths, strict=True)
    ]
