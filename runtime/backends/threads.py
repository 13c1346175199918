"""How many of torch's threads suit a model, for programs of which the model is all the work."""

from __future__ import annotations

import math
import os
from typing import Any

from runtime.backends.base import Backend
from runtime.bundle import Bundle

_SMALL = 1 << 23
"""Weights of a model whose passes are over before threads have met. The embedded one has 4.9 million."""


def suit_threads(bundle: Bundle, backend: Backend[Any]) -> None:
    """Let torch compute a small model on one thread from now on, in this whole process, unless OMP_NUM_THREADS says how
    many it takes.

    Two threads save a quarter of such a model's time where both have a processor. Where another program has one of
    them, they wait for each other many times as long as they compute (docs/decisions/013).
    """
    weights = sum(math.prod(entry.shape) for entry in bundle.manifest.weights.values())
    if backend.name == "torch" and weights <= _SMALL and not os.environ.get("OMP_NUM_THREADS"):
        import torch

        torch.set_num_threads(1)
