"""Place: where a bundle runs, as the command line names it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from runtime.backends.choice import NAMES
from runtime.backends.coreml import COMPUTE_UNITS, DEFAULT_UNITS


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where bundles run; None is the best that the machine has."""

    backend: str | None = None
    compute_units: str | None = None


def add_place(parser: argparse.ArgumentParser) -> None:
    """Add the options that `chosen_place` reads."""
    parser.add_argument(
        "--backend", "--device", choices=NAMES, help="what computes (default: the first that this machine has)"
    )
    parser.add_argument("--compute-units", choices=COMPUTE_UNITS, help=f"of Core ML {DEFAULT_UNITS}")


def chosen_place(chosen: argparse.Namespace) -> Place:
    """What was chosen of them."""
    return Place(backend=chosen.backend, compute_units=chosen.compute_units)
