"""The machine in words that name nobody, and texts without what would name somebody."""

from __future__ import annotations

import getpass
import importlib.metadata
import os
import platform
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from runtime.backends.macos import macos_build, macos_version, sysctl
from runtime.measure.memory import physical_bytes

_PACKAGES = ("falconet", "coremltools", "torch", "numpy", "tokenizers")
_PATH = re.compile(  # Windows' separators are doubled where Python quotes a path in an error
    r"(?<![\w.<>~/-])(?:/|~/|[A-Za-z]:\\+)(?:[^\s'\"`:;,()<>\[\]|/\\]+[/\\]+)*([^\s'\"`:;,()<>\[\]|/\\]*)"
)


def machine() -> dict[str, str | int | None]:
    """System, release and build, processor, cores and memory."""
    is_mac = platform.system() == "Darwin"
    return {
        "system": "macOS" if is_mac else platform.system(),
        "release": macos_version() or platform.mac_ver()[0] if is_mac else platform.release(),
        "build": macos_build() if is_mac else None,
        "architecture": platform.machine(),
        "model": sysctl("hw.model") if is_mac else None,
        "processor": sysctl("machdep.cpu.brand_string") if is_mac else _linux_processor(),
        "cores": os.cpu_count(),
        "memory_bytes": physical_bytes(),
    }


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that take part; what is not installed is left out."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def anonymous(text: str, places: Mapping[str, str]) -> str:
    """`text` without paths, user name and machine name. `places` are paths and the words that replace them."""
    known = {**{str(p): "<temporary>" for p in (tempfile.gettempdir(), Path(tempfile.gettempdir()).resolve())}}
    home = _home()
    known |= {sys.prefix: "<python>", sys.base_prefix: "<python>", str(home): "~"}
    known |= places
    for place in sorted(known, key=len, reverse=True):
        if len(place) > 1:
            text = text.replace(place, known[place])
    text = _PATH.sub(lambda match: f"…/{match[1]}", text)
    for name in {_user(), home.name, platform.node(), platform.node().partition(".")[0]}:
        if len(name) > 1 and name != "root":
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "<name>", text, flags=re.IGNORECASE)
    return text


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # this user has none, as in some containers
        return Path("~")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no entry for this user, as in some containers
        return ""


def _linux_processor() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)
