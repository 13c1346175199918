"""Where the window keeps what is the user's: chats and settings, apart from caches that can be made again."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def data_folder() -> Path:
    """The system's folder for an application's data, or where FALCONET_DATA says. It may not exist yet."""
    chosen = os.environ.get("FALCONET_DATA")
    return Path(chosen).absolute() if chosen else platformdirs.user_data_path("Falconet", appauthor=False)
