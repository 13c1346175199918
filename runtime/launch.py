"""How a process of its own that runs one of our modules is started, from Python and from a packaged application."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

_RUN_MODULE = "--run-module"


def module_command(module: str, *arguments: str) -> list[str]:
    """The command that runs `module` as `python -m` does.

    In a packaged application `sys.executable` is the application, which knows no `-m`: it is asked with --run-module,
    which its main program answers with `run_module`. Python gets -P, so that no namesake from the folder it stands in
    is run; what it may import is the caller's to say, in PYTHONPATH.
    """
    if _is_packaged():
        return [sys.executable, _RUN_MODULE, module, *arguments]
    return [sys.executable, "-P", "-m", module, *arguments]


def run_module(arguments: Sequence[str]) -> bool:
    """Run the module that `arguments`, without the program's name, ask for in the form of `module_command`.

    False where they ask for none. A main program calls it first of all, and ends where it is True; a module that ends
    with SystemExit ends the program by itself.
    """
    if len(arguments) < 2 or arguments[0] != _RUN_MODULE:
        return False
    module = arguments[1]
    sys.argv = [module, *arguments[2:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return True


def _is_packaged() -> bool:
    # PyInstaller says so; where briefcase made it, the executable has the application's name.
    return bool(getattr(sys, "frozen", False)) or not Path(sys.executable).stem.lower().startswith(("python", "pypy"))
