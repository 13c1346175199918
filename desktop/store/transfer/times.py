"""Times as people read them, and from files of other programs."""

from __future__ import annotations

import math
import time
from datetime import datetime

_LATEST = 4e9  # seconds since 1970: in 2096


def shown(moment: float) -> str:
    """A time in the computer's own time zone, to the minute."""
    return datetime.fromtimestamp(moment).astimezone().strftime("%Y-%m-%d %H:%M")


def moment_from(value: object, fallback: float | None = None) -> float:
    """Seconds since 1970 from a number of seconds or milliseconds; `fallback`, or now, for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        seconds = float(value) / 1000 if value > _LATEST else float(value)
        if 0 < seconds < _LATEST:
            return seconds
    return time.time() if fallback is None else fallback
