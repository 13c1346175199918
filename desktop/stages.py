"""How far an export is as a whole. The exporter tells of one stage after the other, each from nothing to all of it."""

from __future__ import annotations

_FETCHED = {"download": 40}
_MADE = {
    "hash": 2,
    "measure": 10,
    "calibrate": 10,
    "palettize": 20,
    "convert": 8,
    "save": 1,
    "locate": 1,
    "verify": 30,
    "seal": 1,
}
"""In their order, with the parts of the time that they take, roughly: a bar must not run back, and may run unevenly."""


def overall(stage: str, fraction: float, *, fetched: bool = True) -> float | None:
    """The share, 0 to 1, of all stages where `fraction` of one is done; None for what is no stage. Never less than in a
    stage before. `fetched`: the weights are downloaded first."""
    stages = _FETCHED | _MADE if fetched else _MADE
    if stage not in stages:
        return None
    before = sum(stages[name] for name in list(stages)[: list(stages).index(stage)])
    return (before + stages[stage] * fraction) / sum(stages.values())
