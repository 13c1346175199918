"""Colours of a terminal, and the other codes that move its cursor or clear its line."""

from __future__ import annotations

import os


def has_colours() -> bool:
    """Whether a terminal here is likely to know colours, and the user wants them (no-color.org)."""
    known = os.name != "nt" or "WT_SESSION" in os.environ  # Windows' old console shows the codes themselves
    return known and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
