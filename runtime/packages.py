"""Packages that a command needs: what is missing in this Python, and how to get it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from runtime.errors import UserFacingError

_ROOT = Path(__file__).parents[1]
_OUR_OWN = ("desktop", "export", "models", "runtime")
_OLDEST = (3, 11)
_EXPORTER = ("coremltools", "torch", "numba", "safetensors")


class PackageMissingError(UserFacingError):
    """What is asked for needs a package, or a Python, that is not here."""


def install_command(extra: str) -> str:
    """The command that adds what `extra` stands for, from this folder where it is Falconet's source."""
    if (_ROOT / "pyproject.toml").is_file() and (_ROOT / "tests").is_dir():
        return f'pip install -e "{_ROOT}[{extra}]"'  # Windows knows no other quotes
    return f'pip install "falconet[{extra}]"'


def missing_package(error: ModuleNotFoundError, extra: str) -> PackageMissingError:
    """What to say of `error`, which is raised again where what is missing is Falconet's own."""
    package = (error.name or "").partition(".")[0]
    if not package or package in _OUR_OWN:
        raise error
    environment = _ROOT / ".venv"
    if environment.is_dir() and Path(sys.prefix).resolve() != environment.resolve():
        enter = environment / "Scripts" / "activate" if sys.platform == "win32" else f". {environment}/bin/activate"
        how = f"enter the environment that has it (`{enter}`), or"
    else:
        how = "install it with"
    return PackageMissingError(f"{package} is not installed in {sys.prefix}: {how} `{install_command(extra)}`.")


def check_python() -> None:
    """Raises PackageMissingError where this Python is too old."""
    if sys.version_info < _OLDEST:
        wanted, found = (".".join(map(str, version)) for version in (_OLDEST, sys.version_info[:3]))
        raise PackageMissingError(f"Falconet needs Python {wanted} or newer, and this is {found} ({sys.executable}).")


def check_exporter() -> None:
    """Raises PackageMissingError where no bundle can be exported, before anything is imported or fetched for it."""
    if sys.platform == "win32":  # coremltools is not made for it: its source installs, and lacks what writes packages
        raise PackageMissingError(
            "Core ML packages cannot be written on Windows: export on macOS or Linux (WSL will do) and copy the bundle."
        )
    for package in _EXPORTER:
        if importlib.util.find_spec(package) is None:
            raise missing_package(ModuleNotFoundError(name=package), "export")
