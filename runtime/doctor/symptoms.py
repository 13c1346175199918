"""What Core ML prints when it fails in ways that are known, and what helps."""

from __future__ import annotations

import re

# Collected from public reports; each pattern is searched for in what the child printed and in its exception.
_KNOWN = (
    (
        r"ANECCompile|ANECompil\w*.{0,40}FAILED",
        "the Neural Engine's compiler refused the program; it needs fixed shapes and smaller pieces: use the GPU",
    ),
    (
        r"build the model execution plan|error code:? ?[-−]14",
        "Core ML could not plan the program for this compute unit; the others are not affected",
    ),
    (
        r"mps\.dequantize",
        "the GPU's compiler refused a compressed weight; export with --weights int4 and try again",
    ),
    (
        r"libcoremlpython|BlobWriter not loaded|Unable to load CoreML\.framework",
        "coremltools was installed without its native part; install Python 3.11 to 3.13 for arm64 and coremltools anew",
    ),
    (
        r"No space left|not enough space|ENOSPC",
        "the disk is full: compiling needs about twice the size of the bundle",
    ),
)


def known_symptoms(text: str) -> list[str]:
    """Explanations of what is known in `text`, each once."""
    return [words for pattern, words in _KNOWN if re.search(pattern, text, re.IGNORECASE)]
