"""How a process of its own that runs one of our modules is started, from Python and from a packaged application.

Run as a file, by the command that `module_command` makes, it is the beginning of such a process.
"""

from __future__ import annotations

import os
import runpy
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from pathlib import Path

_RUN_MODULE = "--run-module"
_HERE = Path(__file__).absolute()  # links are not followed: the packages lie beside the link


def module_command(module: str, *arguments: str) -> list[str]:
    """The command that runs `module` as `python -m` does, in any folder.

    The process imports the standard library first, then our packages from where this one has them, then what is
    installed, and last what lies in the other folders that this process imports from: a re.py beside the caller's
    script does not take the place of Python's own. In a packaged application `sys.executable` is the application, which
    knows no `-m`: it is asked with --run-module, which its main program answers with `run_module`.
    """
    from runtime.arguments import check_text, checked_texts  # here: this file may run before it can be found

    check_text("module", module)
    checked_texts("arguments", arguments)
    if _is_packaged():
        return [sys.executable, _RUN_MODULE, module, *arguments]
    places = [os.path.abspath(place) for place in sys.path]  # noqa: PTH100  (of "", too: the folder it stands in)
    return [sys.executable, "-P", str(_HERE), *places, _RUN_MODULE, module, *arguments]


def run_module(arguments: Sequence[str]) -> bool:
    """Run the module that `arguments`, without the program's name, ask for in the form of `module_command`.

    False where they ask for none. A main program calls it first of all, and ends where it is True; a module that ends
    with SystemExit ends the program by itself. Raises OptionError for what is no list of texts.
    """
    from runtime.arguments import checked_texts  # here, as above

    checked_texts("arguments", arguments)
    if len(arguments) < 2 or arguments[0] != _RUN_MODULE:
        return False
    module = arguments[1]
    sys.argv = [module, *arguments[2:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return True


def _is_packaged() -> bool:
    # PyInstaller says so; where briefcase made it, the executable has the application's name.
    return bool(getattr(sys, "frozen", False)) or not Path(sys.executable).stem.lower().startswith(("python", "pypy"))


def _import_from(places: Iterable[str]) -> None:
    """Our packages behind the standard library, `places` behind all."""
    library = sysconfig.get_path("stdlib")
    own = (library, os.path.join(library, "lib-dynload"))  # noqa: PTH118  (as sys.path spells it)
    behind = max((at + 1 for at, place in enumerate(sys.path) if place in own), default=0)
    sys.path.insert(behind, str(_HERE.parents[1]))
    sys.path.extend(place for place in places if place not in sys.path)


if __name__ == "__main__":
    _split = sys.argv.index(_RUN_MODULE)
    _import_from(sys.argv[1:_split])
    run_module(sys.argv[_split:])
