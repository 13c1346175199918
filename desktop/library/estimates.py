"""Estimate: what a model that is known by its name takes, before anything of it is here.

Rough, from its number of parameters: the exporter says the disk that it really needs when it begins, and a bundle's
manifest the memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from desktop.library.export_job import KnownModel

_BITS = {"lut4": 4.2, "lut6": 6.1, "lut8": 8.1, "int4": 4.6, "int8": 8.1, "fp16": 16.0}
"""To a parameter, with the embedding and the head at eight. Falcon-7B at lut4 was seen to take 4.18."""
_DOWNLOAD_BITS = 16  # as the Hub has them
_EXPANDED_LIMIT = 1 << 30  # bytes that are expanded at a time, as runtime's memory_needs counts
_PROGRAM_BYTES = 500_000_000


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """In bytes."""

    download: int
    disk: int  # of the bundle
    memory: int  # to run it


def estimate(model: KnownModel, weights: str) -> Estimate | None:
    """For a model in a weights format; None where its size is not told, or it comes with the program."""
    number, _, unit = model.parameters.partition(" ")
    try:
        parameters = float(number) * {"B": 1e9, "M": 1e6}[unit]
    except (ValueError, KeyError):
        return None
    disk = int(parameters * _BITS[weights] / 8)
    working = min(int(4 * parameters), _EXPANDED_LIMIT)
    return Estimate(download=int(parameters * _DOWNLOAD_BITS / 8), disk=disk, memory=disk + working + _PROGRAM_BYTES)
