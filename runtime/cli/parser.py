"""Argument parser of all command lines: wrong usage is one sentence and exit code 1, as all bad input is."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from runtime.errors import OptionError


class Parser(argparse.ArgumentParser):
    """argparse without abbreviations. Where argparse prints its usage and exits with 2, this raises OptionError."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**{"allow_abbrev": False, **settings})  # type: ignore[arg-type]

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """As argparse, but whoever meets an unknown argument says so: a command names its own help."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def print_help(self, file: Any = None) -> None:
        """As argparse, which reads over what keeps it from writing, a full disk for one."""
        out = file or sys.stdout
        out.write(self.format_help())
        out.flush()

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and where the options are listed."""
        message = message[:1].upper() + message[1:].rstrip(".")
        raise OptionError(f"{message}; `{self.prog} --help` lists the options.")
