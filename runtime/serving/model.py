"""Model: what the server says about the one that it serves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runtime.tokenizer import Tokenizer


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A bundle under the name that clients know it by."""

    name: str
    fingerprint: str  # which weights: the beginning of the bundle's hash
    created: int  # seconds since 1970 at which it was first served
    context_length: int  # tokens
    tokenizer: Tokenizer

    def body(self) -> dict[str, Any]:
        """Its entry in GET /v1/models; the context's length has vLLM's name."""
        return {
            "id": self.name,
            "object": "model",
            "created": self.created,
            "owned_by": "falconet",
            "max_model_len": self.context_length,
        }
