"""What Core ML prints when it fails in ways that are known, and what helps."""

from __future__ import annotations

import re

# Collected from public reports; each pattern is searched for in what the child printed and in its exception.
_PREPARED = (
    "what macOS had prepared for this device is damaged, as after a full disk; end the programs that use Core ML, "
    "delete each folder com.apple.e5rt.e5bundlecache under ~/Library/Caches, and try again"
)
_KNOWN = (
    (
        r"ANECCompile|ANECompil\w*.{0,40}FAILED|live input tensor",
        "the Neural Engine's compiler refused the program; it needs fixed shapes and smaller pieces: use the GPU",
    ),
    (
        r"build the model execution plan|error code:? ?[-−]14|data-dependent shapes"
        r"|functionName\W{1,3}(?:property )?must be nil",
        "Core ML could not plan the program for this compute unit; the others are not affected",
    ),
    (
        r"error code:? ?[-−]1\b|computing NN outputs|Unable to compute the prediction",
        "Core ML planned the program for this compute unit and could not run it there; the others may be right",
    ),
    (
        r"mps\.dequantize",
        "the GPU's compiler refused a compressed weight; export with --weights int4 and try again",
    ),
    (
        r"MLIR pass manager failed|expandSDPAOperand|MPSGraph\w*\.mm|MetalPerformanceShaders.*(?:error|assert)",
        "the GPU's compiler, or one of its kernels, gave up on the program: use --compute-units cpu_only or --backend "
        "torch, and look for an update of the system",
    ),
    (
        r"kIOGPUCommandBufferCallbackErrorOutOfMemory|Insufficient Memory",
        "the GPU has no memory left: end other programs, or export a smaller bundle (--size, --context)",
    ),
    (r"resources\.bin missing|mpsgraphpackage.{0,80}manifest|re-?compile the E5 bundle", _PREPARED),
    (
        r"slice update: update data type",
        "a fault of macOS 26 on the processor, in storing keys and values: use the GPU, or update the system",
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
