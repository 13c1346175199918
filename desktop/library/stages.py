"""How far an export is as a whole. The exporter tells of one stage after the other, each from nothing to all of it."""

from __future__ import annotations

from desktop.library.export_job import ExportState

_STAGES = {
    "download": 40,
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


def overall(state: ExportState) -> float | None:
    """The share, 0 to 1, of all stages; None while the exporter starts. Never less than in a stage before."""
    if state.kind == "done":
        return 1.0
    if state.stage not in _STAGES:
        return None
    before = 0
    for stage, part in _STAGES.items():
        if stage == state.stage:
            return (before + part * (state.fraction or 0.0)) / sum(_STAGES.values())
        before += part
    return None
