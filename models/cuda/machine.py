"""Where kernels run: on a card, or on the processor through Triton's interpreter, which is how they are tested."""

from __future__ import annotations

import os

import torch

MULTIPROCESSORS = 132
"""Of an H100 or H200; what launches are planned for where there is no card to ask."""

FUSED = {"enable_fp_fusion": True}
"""What every kernel is launched with: a product and the sum that it goes into are one instruction, as Triton makes them
up to 3.9 by itself, and later where they are asked for."""


def interpreted() -> bool:
    """Whether Triton interprets: it looks at the environment when a kernel is defined."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def multiprocessors(device: torch.device) -> int:
    """Of the card that `device` is."""
    if device.type != "cuda":
        return MULTIPROCESSORS
    return int(torch.cuda.get_device_properties(device).multi_processor_count)


def shared_bytes(device: torch.device) -> int:
    """Of shared memory that a block may ask for on the card that `device` is, beside 1 KiB that a kernel declares;
    without a card, on an H100 or H200."""
    if device.type != "cuda":
        return 226 << 10
    properties = torch.cuda.get_device_properties(device)
    allowed = getattr(properties, "shared_memory_per_block_optin", 48 << 10)  # some builds of torch do not say
    return int(allowed) - (1 << 10)


def hopper(device: torch.device) -> bool:
    """Whether the card's tensor cores take a factor from registers, as those of compute capability 9.0 do."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device)[0] == 9
