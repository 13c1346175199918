"""`python -m desktop`: the chat window."""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message}; see --help.", file=sys.stderr)
        raise SystemExit(1)


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0 when the window was closed or an open one was shown, 1 where it cannot open."""
    parser = _Parser(prog="python -m desktop", description="Chat with Falcon models on this computer.")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="where chats and settings are (the system's place)")
    parser.add_argument("--version", action="version", version=f"Falconet {version('falconet')}")
    options = parser.parse_args(arguments)

    from runtime import UserFacingError

    try:
        from desktop.app import run
        from desktop.paths import data_folder
    except ImportError as error:
        print(f"The window needs {error.name}: install it with `pip install 'falconet[desktop]'`.", file=sys.stderr)
        return 1
    try:
        return run(options.data.absolute() if options.data else data_folder())
    except UserFacingError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
