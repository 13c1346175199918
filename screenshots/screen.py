"""A screen that is not there, as large as a real one: dialogs fit themselves to it, and Qt's own has 800 by 800."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

_SIDES = 1920, 1080


def use_screen(ratio: int) -> None:
    """Have Qt draw on a screen of 1920 by 1080 points with so many pixels to a point. Call it before Qt is imported."""
    screen = {
        "name": "picture",
        "x": 0,
        "y": 0,
        "width": _SIDES[0] * ratio,
        "height": _SIDES[1] * ratio,
        "logicalDpi": 96,
        "logicalBaseDpi": 96,
    }
    file = Path(tempfile.mkdtemp()) / "screen.json"
    file.write_text(json.dumps({"screens": [screen]}))
    os.environ["QT_SCALE_FACTOR"] = str(ratio)
    os.environ["QT_QPA_PLATFORM"] = f"offscreen:configfile={file}"
