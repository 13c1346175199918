"""Where this program keeps things on this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path, PurePosixPath, PureWindowsPath

from runtime.errors import OptionError


def cache_folder() -> Path:
    """Folder for what can be made again: `$FALCONET_CACHE`, or the system's place for caches. OptionError where this
    user has no home folder, as in some containers, and none is named."""
    try:
        return _cache_folder()
    except RuntimeError:
        raise OptionError(
            "There is no home folder to keep what is made once; set FALCONET_CACHE to a folder that can be written."
        ) from None


def _cache_folder() -> Path:
    named, system = os.environ.get("FALCONET_CACHE"), os.environ.get("XDG_CACHE_HOME")
    if named:
        return Path(named).expanduser()
    if sys.platform == "darwin":
        folder = Path.home() / "Library" / "Caches" / "falconet"
    elif sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        folder = (Path(local) if local else Path.home() / "AppData" / "Local") / "falconet" / "Cache"
    else:
        folder = (Path(system) if system else Path.home() / ".cache") / "falconet"
    return folder


def leads_outside(name: str) -> bool:
    """Whether a path of a file's own making is absolute or climbs, by the rules of either kind of system."""
    return any(bool(path.anchor) or ".." in path.parts for path in (PurePosixPath(name), PureWindowsPath(name)))
