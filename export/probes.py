"""Probe prompts for verification: short and plain, a question, code, other scripts, numbers, a turn of chat."""

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
_LENGTH = 48  # tokens of each that are used


def probe_tokens(tokenizer: Tokenizer, context_length: int) -> list[list[int]]:
    """Token ids of the probes, each at most `context_length` long."""
    length = min(_LENGTH, context_length)
    return [tokenizer.encode(text, add_special_tokens=False).ids[:length] for text in _TEXTS]
