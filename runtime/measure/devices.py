"""What this machine has for a model to run on."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from runtime.backends.cards import Cards, find_cards
from runtime.backends.choice import NAMES, automatic_reason
from runtime.bundle import Bundle
from runtime.doctor.machine import machine, versions
from runtime.manifest import Manifest
from runtime.measure.bandwidth import usable_cores
from runtime.measure.memory import available_bytes, limit_bytes
from runtime.measure.needs import Needs, card_needs, memory_needs

_VERDICTS = ("yes", "not-now", "unknown", "no")  # the best first


@dataclass(frozen=True, kw_only=True)
class Devices:
    """`backends` are names with the reason why each is not taken by itself, None where it is. Memory in bytes, None
    unknown."""

    machine: dict[str, str | int | None]
    versions: dict[str, str]
    cores: int  # that this process may use
    memory: int | None  # the container's limit where it is lower than the machine's memory
    available: int | None
    cards: Cards
    backends: dict[str, str | None]

    @property
    def chosen(self) -> str | None:
        """The backend that runs unless the user names one."""
        return next((name for name, reason in self.backends.items() if reason is None), None)

    def to_json(self) -> dict[str, object]:
        """For programs."""
        return {
            "command": "devices",
            "machine": self.machine,
            "versions": self.versions,
            "usable_cores": self.cores,
            "memory_limit_bytes": self.memory,
            "memory_available_bytes": self.available,
            "cards": asdict(self.cards),
            "backends": {name: {"available": why is None, "reason": why} for name, why in self.backends.items()},
            "chosen": self.chosen,
        }


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Whether a bundle fits: a verdict is yes, not-now, no, or unknown; of cards it is None where there is none."""

    name: str
    needs: Needs
    verdict: str
    card_needs: int  # bytes of a card's memory
    card_verdict: str | None  # of the card that has most room

    def to_json(self) -> dict[str, object]:
        """For programs."""
        return (
            {"model": self.name, "verdict": self.verdict, "total_bytes": self.needs.total}
            | {f"{part}_bytes": size for part, size in asdict(self.needs).items()}
            | {"card_total_bytes": self.card_needs, "card_verdict": self.card_verdict}
        )


def find_devices(bundle: Bundle | None = None) -> Devices:
    """Ask the system, the backends, torch and the cards' driver; with `bundle`, backends are those that run it.

    Raises BundleError where the bundle's manifest and config.json do not fit each other.
    """
    about = machine()
    physical = about["memory_bytes"]
    return Devices(
        machine=about,
        versions=versions(),
        cores=usable_cores(),
        memory=limit_bytes(physical if isinstance(physical, int) else None),
        available=available_bytes(),
        cards=find_cards(),
        backends={name: automatic_reason(name, bundle) for name in NAMES},
    )


def fit(manifest: Manifest, devices: Devices) -> Fit:
    """Whether the bundle's needs are within this machine's memory, and within what is free of it now."""
    needs = memory_needs(manifest)
    on_card = card_needs(manifest)
    cards = [_verdict(on_card, card.memory_bytes, card.free_bytes) for card in devices.cards.cards]
    return Fit(
        name=manifest.name,
        needs=needs,
        verdict=_verdict(needs.total, devices.memory, devices.available),
        card_needs=on_card,
        card_verdict=min(cards, key=_VERDICTS.index, default=None),
    )


def _verdict(needed: int, memory: int | None, free: int | None) -> str:
    if memory is None:
        return "unknown"
    if needed > memory:
        return "no"
    return "not-now" if free is not None and needed > free else "yes"
