"""The card that a benchmark measures, and what a result says of it."""

from __future__ import annotations

from typing import Any

import torch

from runtime.backends.cards import Card, card_in_use


def measured_card(*, tiny: bool) -> Card | None:
    """The card in use; None for a `tiny` run on the CPU. Ends the program where there has to be one and is none."""
    card = None if tiny else card_in_use()
    if card is None and not tiny:
        raise SystemExit(
            "error: no card is usable here; `python -m runtime devices` says why. To try this without one, set "
            "TRITON_INTERPRET=1 and add --tiny."
        )
    return card


def told_of(card: Card | None) -> dict[str, Any] | None:
    """Name, driver and CUDA version, for a result."""
    return None if card is None else {"name": card.name, "driver": card.driver, "cuda": torch.version.cuda}
