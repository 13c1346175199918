"""Devices: where models of this computer are computed, as people choose it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal

DeviceName = Literal["automatic", "gpu", "neural_engine", "processor"]


@dataclass(frozen=True, kw_only=True)
class Device:
    """In the words of runtime's engines, where None leaves the choice to them."""

    backend: str | None = None
    compute_units: str | None = None


_PROCESSOR = Device(backend="torch")
_ON_A_MAC: dict[DeviceName, Device] = {
    "automatic": Device(),
    "gpu": Device(backend="coreml", compute_units="cpu_and_gpu"),
    "neural_engine": Device(backend="coreml", compute_units="cpu_and_ne"),
    "processor": _PROCESSOR,
}
_ELSEWHERE: dict[DeviceName, Device] = {"automatic": Device(), "gpu": Device(backend="cuda"), "processor": _PROCESSOR}


def devices(system: str = sys.platform) -> dict[DeviceName, Device]:
    """What a system (as sys.platform has it) offers, in order. Whether this computer has it is not asked: that takes
    seconds, and loading says it."""
    return _ON_A_MAC if system == "darwin" else _ELSEWHERE


def device(name: DeviceName, system: str = sys.platform) -> Device:
    """The device called `name`; the best there is where the system has none of that name, as in settings that came from
    another computer."""
    return devices(system).get(name, Device())


def name_of(backend: str | None, compute_units: str | None, system: str = sys.platform) -> DeviceName | None:
    """What an engine's backend and units are called, None where they cannot be chosen here."""
    found = Device(backend=backend, compute_units=compute_units)
    return next((name for name, offered in devices(system).items() if offered == found), None)
