"""Kernels run on a card where there is one, else in Triton's interpreter: it looks at the environment when imported."""

from __future__ import annotations

import os

import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"
