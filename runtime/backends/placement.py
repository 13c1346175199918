"""Where a model's layers go: onto one card where they fit, else over several."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from itertools import chain, groupby

import torch
from torch import nn

from models.cuda.step import Stage
from models.falcon import Falcon
from runtime.backends.cards import free_card_bytes
from runtime.errors import BackendUnavailableError
from runtime.sizes import memory_size

WORK_BYTES = 512 << 20
"""What a pass computes with at most, beside weights and caches; an estimate."""


def stages_for(model: Falcon, name: str, free: Mapping[int, int] | None = None) -> list[Stage]:
    """The stages of `model` on this machine's cards, of which each has some bytes `free`; None asks them.

    Raises BackendUnavailableError, which says what the model called `name` takes, where they are too few.
    """
    if free is None:
        free = free_card_bytes()
    layers = model.config.num_layers
    weights, cache = stored_bytes(model), model.config.cache_bytes
    needed = weights + cache + WORK_BYTES
    for card, room in free.items():
        if room >= needed:
            return [Stage(torch.device("cuda", card), 0, layers)]
    spread = _spread(model, free, cache) if len(free) > 1 else None
    if spread is None:
        cards = (
            f"the card has {memory_size(max(free.values()))}"
            if len(free) == 1
            else "the cards have " + " and ".join(memory_size(room) for room in free.values())
        )
        raise BackendUnavailableError(
            f"{name} needs {memory_size(needed)} of a card's memory (weights {memory_size(weights)}, a full context "
            f"{memory_size(cache)}, work {memory_size(WORK_BYTES)}) and {cards} free; close other programs that use "
            "it, or choose a bundle of fewer bits or a shorter context.",
            option=", or choose --backend torch",
        )
    return spread


def _spread(model: Falcon, free: Mapping[int, int], cache: int) -> list[Stage] | None:
    """Stages on several cards, each with room for its work and caches, the first with embedding and head, too; None
    where that is not enough."""
    from accelerate import infer_auto_device_map
    from accelerate.utils import get_balanced_memory

    logging.getLogger("accelerate").setLevel(logging.ERROR)  # it warns of cards that are named and not there
    first = next(iter(free))
    ends = stored_bytes(model) - stored_bytes(model.transformer.h)  # embedding and head go before the first layer
    room = {card: max(0, bytes_ - WORK_BYTES - cache - (ends if card == first else 0)) for card, bytes_ in free.items()}
    blocks = model.transformer.h
    balanced = get_balanced_memory(blocks, dict(room), no_split_module_classes=["Block"])
    for most in (balanced, room):
        found = infer_auto_device_map(blocks, dict(most), no_split_module_classes=["Block"], offload_buffers=True)
        cards = [found.get(str(layer), found.get("")) for layer in range(len(blocks))]
        if all(isinstance(card, int) for card in cards):
            stages = _stages([card for card in cards if isinstance(card, int)])
            if stages[0].device.index == first:
                return stages
    others = {card: bytes_ for card, bytes_ in free.items() if card != first}  # should it be full, say
    return _spread(model, others, cache) if len(others) > 1 else None


def _stages(cards: Sequence[int]) -> list[Stage]:
    """Neighbouring layers of one card are a stage."""
    stages: list[Stage] = []
    for card, layers in groupby(range(len(cards)), key=cards.__getitem__):
        numbers = list(layers)
        stages.append(Stage(torch.device("cuda", card), numbers[0], numbers[-1] + 1))
    return stages


def stored_bytes(module: nn.Module) -> int:
    """Bytes of a module's parameters and buffers as they are stored, shared ones once."""
    return sum(tensor.nbytes for tensor in chain(module.parameters(), module.buffers()))
