"""Whether there is a screen: Qt ends the process where it finds none, so this looks before."""

from __future__ import annotations

import ctypes
import os
import re
import socket
import sys
from pathlib import Path

from desktop.errors import DesktopError

_PATIENCE_SECONDS = 2.0
_FIRST_PORT = 6000  # of X over TCP: display N listens at 6000 + N


def check_screen() -> None:
    """Raise DesktopError where Qt would find no screen. Only Linux can be without one."""
    if sys.platform.startswith("linux") and not os.environ.get("QT_QPA_PLATFORM") and not _wayland():
        _check_x11()


def _check_x11() -> None:
    display = os.environ.get("DISPLAY", "")
    if not _answers(display):
        where = f"at DISPLAY={display}" if display else "to open a window on"
        raise DesktopError(f"There is no screen {where}: start Falconet in a desktop session.")
    try:
        ctypes.CDLL("libxcb-cursor.so.0")
    except OSError:
        raise DesktopError(
            "Qt needs the library libxcb-cursor to open a window: install it (on Debian and Ubuntu: "
            "sudo apt install libxcb-cursor0) and start Falconet again."
        ) from None


def _wayland() -> bool:
    name = os.environ.get("WAYLAND_DISPLAY")
    return bool(name) and (Path(os.environ.get("XDG_RUNTIME_DIR", "/")) / str(name)).exists()


def _answers(display: str) -> bool:
    parts = re.fullmatch(r"(?P<host>[^:]*):(?P<number>\d+)(\.\d+)?", display)
    if parts is None:
        return False
    host, number = parts["host"], int(parts["number"])
    if host not in ("", "unix"):
        return _connects(socket.AF_INET, (host, _FIRST_PORT + number))
    if sys.platform == "win32":
        return False
    path = f"/tmp/.X11-unix/X{number}"
    return any(_connects(socket.AF_UNIX, name) for name in (path, f"\0{path}"))


def _connects(family: socket.AddressFamily, address: str | tuple[str, int]) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as end:
        end.settimeout(_PATIENCE_SECONDS)
        try:
            end.connect(address)
        except OSError:
            return False
    return True
