"""Argument parser of all command lines: wrong usage is one sentence and exit code 1, as all bad input is."""

from __future__ import annotations

import argparse
from typing import NoReturn

from runtime.errors import OptionError


class Parser(argparse.ArgumentParser):
    """argparse without abbreviations. Where argparse prints its usage and exits with 2, this raises OptionError."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**{"allow_abbrev": False, **settings})  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and where the options are listed."""
        message = message[:1].upper() + message[1:].rstrip(".")
        raise OptionError(f"{message}; `{self.prog} --help` lists the options.")
