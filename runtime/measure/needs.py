"""What a bundle takes: bytes that a decoded token reads, and memory to run it. Sizes follow from the manifest."""

from __future__ import annotations

import math
from dataclasses import dataclass

from runtime.arguments import check_kind
from runtime.errors import BundleError
from runtime.manifest import Manifest, WeightEntry

_EMBEDDING, _HEAD = "transformer.word_embeddings.weight", "lm_head.weight"
_LAYER = "transformer.h.{}.self_attention.query_key_value.weight"
_EXPANDED_LIMIT = 1 << 30  # bytes: smaller models are kept in float32, larger ones work in pieces below this
_CARD_WORK_BYTES = 512 << 20  # what a pass on a card computes with at most, an estimate
_PROGRAM_BYTES = 500_000_000  # Python, torch and the model's code; seen: 0.4 GB on Linux


@dataclass(frozen=True, kw_only=True)
class Needs:
    """Memory in bytes: an estimate from above for the CPU; Core ML's was never measured."""

    weights: int  # as stored; mapped from the file, yet each token reads them
    working: int  # expanded weights and what a pass computes, at most
    cache: int  # keys and values of one full context
    program: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.working + self.cache + self.program


def memory_needs(manifest: Manifest) -> Needs:
    """What one conversation of full length takes. Raises BundleError for a manifest without a decoder's tensors."""
    check_kind("manifest", manifest, Manifest, "a bundle's Manifest")
    return needs_of(
        weights=sum(map(_stored, manifest.weights.values())),
        elements=sum(math.prod(entry.shape) for entry in manifest.weights.values()),
        cache=cache_bytes(manifest) * manifest.context_length,
    )


def needs_of(*, weights: int, elements: int, cache: int) -> Needs:
    """The same before there is a bundle: bytes of the `weights` as stored, how many they are, bytes of the cache."""
    return Needs(weights=weights, working=min(4 * elements, _EXPANDED_LIMIT), cache=cache, program=_PROGRAM_BYTES)


def card_needs(manifest: Manifest) -> int:
    """Bytes of a card's memory for one conversation of full length. Raises BundleError as `memory_needs`."""
    check_kind("manifest", manifest, Manifest, "a bundle's Manifest")
    weights = sum(map(_stored, manifest.weights.values()))
    return weights + cache_bytes(manifest) * manifest.context_length + _CARD_WORK_BYTES


def cache_bytes(manifest: Manifest) -> int:
    """Keys and values of one token in 16 bits: 8 KiB for Falcon-7B. Raises BundleError as `memory_needs`."""
    total = layers = 0
    while (entry := manifest.weights.get(_LAYER.format(layers))) is not None:
        rows, hidden = entry.shape  # queries are as wide as the model; the other rows are keys and values
        total += 2 * (rows - hidden)
        layers += 1
    if not layers:
        raise BundleError(f"The manifest of {manifest.name} lacks {_LAYER.format(0)}; export the bundle again.")
    return total


def bytes_per_token(manifest: Manifest, cached: int) -> int:
    """What must be read to decode one token after `cached` others: every weight as stored, once, and the cache.

    Of an embedding that is not the head as well, one row.
    """
    weights = sum(_stored(entry) for entry in manifest.weights.values())
    embedding = manifest.weights.get(_EMBEDDING)
    if embedding is not None and _HEAD in manifest.weights:
        weights -= _stored(embedding) * (embedding.shape[0] - 1) // embedding.shape[0]
    return weights + cached * cache_bytes(manifest)


def _stored(entry: WeightEntry) -> int:
    return sum(part.bytes for part in entry.parts.values())
