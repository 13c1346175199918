"""Listing: the models that are known by name, and about how much each takes, before anything of it is here."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from export.recipes import WEIGHTS, make_recipe
from export.sources import KNOWN, KnownModel
from models.config import FalconConfig
from models.family import matrix_shapes
from runtime.measure.needs import needs_of
from runtime.sizes import data_size, memory_size

_SHOWN = "lut4"  # the default of --weights


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """In bytes. Vectors are left out: they are less than a thousandth."""

    download: int  # in 16 bits, with a head of its own, as the Hub has 7B
    bundle: int
    memory: int  # to run it, with the cache of a full context: an estimate from above for the CPU


def sizes(config: FalconConfig, weights: str = _SHOWN) -> Sizes:
    """What a model of this shape takes in one of the formats, with the context that an export gives it."""
    recipe = make_recipe(config, weights=weights)
    shapes = matrix_shapes(config)
    elements = sum(map(math.prod, shapes.values()))
    bundle = sum(recipe.bytes_of(name, shape) for name, shape in shapes.items())
    cache = replace(config, context_length=recipe.context_length).cache_bytes
    head = config.vocab_size * config.hidden_size if config.tie_word_embeddings else 0
    return Sizes(
        download=2 * (elements + head),
        bundle=bundle,
        memory=needs_of(weights=bundle, elements=elements, cache=cache).total,
    )


def as_json() -> dict[str, Any]:
    """By name: where it comes from, and its sizes in every format."""
    return {model.name: _about(model) for model in KNOWN.values()}


def render() -> Iterator[str]:
    """Lines of the table that people see."""
    yield f"{'model':<22}{'parameters':>10}{'download':>11}{'bundle':>10}{'memory':>10}  from"
    for model in KNOWN.values():
        takes = sizes(model.config)
        download = "none" if model.folder else data_size(takes.download)
        origin = "comes with Falconet" if model.folder else model.hub_name
        figures = f"{download:>11}{data_size(takes.bundle):>10}{memory_size(takes.memory):>10}"
        yield f"{model.name:<22}{model.parameters:>10}{figures}  {origin}"
    yield ""
    yield (
        f"About, at {_SHOWN} (the default of --weights). Memory is what a conversation of full length takes on the "
        "processor; Core ML's was not yet measured."
    )


def _about(model: KnownModel) -> dict[str, Any]:
    config = model.config
    taken = {weights: sizes(config, weights) for weights in WEIGHTS}
    return {
        "hub": model.hub_name,
        "parameters": model.parameters,
        "revision": model.revision,
        "download_bytes": 0 if model.folder else taken[_SHOWN].download,
        "sizes": {w: {"bundle_bytes": takes.bundle, "memory_bytes": takes.memory} for w, takes in taken.items()},
    }
