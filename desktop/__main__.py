"""`python -m desktop`: the chat window."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from runtime import UserFacingError, check_python, missing_package, program_version, run_module

_DEBIAN = "libegl1 libgl1 libxkbcommon0 libdbus-1-3 libfontconfig1"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message}; see --help.", file=sys.stderr)
        raise SystemExit(1)


def main(arguments: list[str] | None = None, painted: Callable[[], None] | None = None) -> int:
    """Exit code: 0 when the window was closed or an open one was shown, 1 where it cannot open.

    `painted`: see desktop.app.run.
    """
    parser = _Parser(prog="python -m desktop", description="Chat with Falcon models on this computer.")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="where chats and settings are (the system's place)")
    parser.add_argument("--check", action="store_true", help="open the window, say what of it works, and close it")
    parser.add_argument("--version", action="store_true", help="show the program's version and exit")
    options = parser.parse_args(arguments)
    if options.version:
        print(f"Falconet {program_version()}")
        return 0

    try:
        check_python()
        from desktop.app import run
        from desktop.paths import data_folder

        return run(options.data.absolute() if options.data else data_folder(), _check if options.check else painted)
    except UserFacingError as error:
        print(error, file=sys.stderr)
        if not options.check and not _is_in_terminal():
            _show(str(error))
        return 1
    except ModuleNotFoundError as error:
        print(missing_package(error, "desktop"), file=sys.stderr)
        return 1
    except ImportError as error:
        if error.path is None or error.path.endswith(".py"):  # a name that a module lacks: a fault of our own
            raise
        print(_unloadable(error), file=sys.stderr)
        return 1


def _unloadable(error: ImportError) -> str:
    """The sentence for a library of the system that Qt is linked with and that is not there."""
    how = f" (on Debian and Ubuntu: sudo apt install {_DEBIAN})" if sys.platform == "linux" else ""
    return f"Qt cannot be loaded: {error}; install that library{how} and start Falconet again."


def _is_in_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _show(sentence: str) -> None:
    """For a program that was started by its icon, where nobody reads what it prints."""
    from PySide6.QtWidgets import QApplication, QMessageBox

    if QApplication.instance() is not None and QApplication.platformName() != "offscreen":  # else nobody closes it
        box = QMessageBox(QMessageBox.Icon.Critical, "Falconet", "Falconet cannot be opened.")
        box.setInformativeText(sentence)  # which wraps, as a box's text does not
        box.exec()


def _check() -> None:
    """What `--check` does when the window was painted: for whoever built a package of the program, which may lack files
    that formulas and code are drawn with."""
    from PySide6.QtWidgets import QApplication

    from desktop.text import draw, highlight

    print("The window was painted.")
    if draw(r"\frac{a}{b}", display=True) is not None:
        print("A formula was drawn.")
    if any(highlight("def f(): pass", "python")):
        print("Code was coloured.", flush=True)
    QApplication.closeAllWindows()


if __name__ == "__main__":
    # A packaged application starts itself anew to run a module: the engine, an export.
    raise SystemExit(0 if run_module(sys.argv[1:]) else main())
