"""Graphics cards: what torch can compute on beside the processor, and what the driver says."""

from __future__ import annotations

import importlib.util
import subprocess
from dataclasses import dataclass

from runtime.quiet import quiet

_QUERY = ("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits")


@dataclass(frozen=True)
class Card:
    """An NVIDIA card: `memory_bytes` and `driver` as its driver tells them."""

    name: str
    memory_bytes: int | None
    driver: str | None


@dataclass(frozen=True)
class Cards:
    """`cuda` is the CUDA version that torch was built for; `usable` says whether torch reaches the cards."""

    cards: tuple[Card, ...]
    cuda: str | None
    usable: bool
    apple_gpu: bool  # torch's `mps`


def find_cards() -> Cards:
    """Ask torch, where it is installed, and the driver."""
    cards = _from_driver()
    if importlib.util.find_spec("torch") is None:
        return Cards(cards, None, usable=False, apple_gpu=False)
    with quiet():
        import torch

        usable = torch.cuda.is_available()
        if usable and not cards:  # a container without nvidia-smi
            found = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
            cards = tuple(Card(card.name, card.total_memory, None) for card in found)
        return Cards(cards, torch.version.cuda, usable=usable, apple_gpu=torch.backends.mps.is_available())


def _from_driver() -> tuple[Card, ...]:
    try:
        done = subprocess.run(_QUERY, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(filter(None, map(parse_card, done.stdout.splitlines())))


def parse_card(line: str) -> Card | None:
    """A line of nvidia-smi's answer; None for a line that is something else."""
    fields = [field.strip() for field in line.split(",")]
    if len(fields) != 3:
        return None
    name, mebibytes, driver = fields
    return Card(name, int(mebibytes) * 2**20 if mebibytes.isdigit() else None, driver)
